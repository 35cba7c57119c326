;; manifest {"name":"hostile","version":"1.0.0","kind":"policy","abi":{"major":1,"minor":0},"description":"a guest of a test","license":"Apache-2.0"}
;; A policy that misbehaves on request. The first byte of a request picks what decide does; the first byte of a
;; configuration picks what configure ('c', 'i', 'z') or the alloc after it ('0', 'o', 'h', 't', 'l') does.
(module
  (import "purser_host_1" "log" (func $log (param i32 i32 i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "clock_time_get" (func $clock (param i32 i64 i32) (result i32)))
  (import "wasi_snapshot_preview1" "poll_oneoff" (func $poll (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 2)
  (table $t 1 funcref)
  (global $alloc (mut i32) (i32.const 0))
  (data (i32.const 16) "\1b[2J\ff")

  (func (export "purser_abi_1") (result i32) (i32.const 0))

  (func (export "purser_alloc") (param i32) (result i32)
    (if (i32.eq (global.get $alloc) (i32.const 48)) (then (return (i32.const 0))))             ;; '0' refuses
    (if (i32.eq (global.get $alloc) (i32.const 111)) (then (return (i32.const 4097))))         ;; 'o' odd
    (if (i32.eq (global.get $alloc) (i32.const 104)) (then (return (i32.const 0xfffffff0))))   ;; 'h' huge
    (if (i32.eq (global.get $alloc) (i32.const 116)) (then (unreachable)))                     ;; 't' traps
    (if (i32.eq (global.get $alloc) (i32.const 108)) (then (loop $l (br $l))))                 ;; 'l' loops
    (i32.const 4096))

  (func (export "purser_configure") (param $at i32) (param $n i32) (result i64)
    (if (i32.eqz (local.get $n)) (then (return (i64.const 0x100000001))))
    (global.set $alloc (i32.load8_u (local.get $at)))
    (if (i32.eq (global.get $alloc) (i32.const 99)) (then (unreachable)))                      ;; 'c' traps
    (if (i32.eq (global.get $alloc) (i32.const 105)) (then (loop $l (br $l))))                 ;; 'i' loops
    (if (i32.eq (global.get $alloc) (i32.const 122)) (then (return (i64.const 0))))            ;; 'z' fails
    (i64.const 0x100000001))

  (func $down (param i32) (result i32) (i32.add (call $down (i32.add (local.get 0) (i32.const 1))) (i32.const 1)))

  ;; 2^60 calls, never deeper than sixty, and not one loop.
  (func $tree (param i32)
    (if (i32.eqz (local.get 0)) (then (return)))
    (call $tree (i32.sub (local.get 0) (i32.const 1)))
    (call $tree (i32.sub (local.get 0) (i32.const 1))))

  (func $is (param $at i32) (param $c i32) (result i32) (i32.eq (i32.load8_u (local.get $at)) (local.get $c)))

  (func (export "purser_policy_decide") (param $at i32) (param $n i32) (result i64)
    (local $i i32)
    (if (call $is (local.get $at) (i32.const 97)) (then (loop $l (br $l))))                            ;; 'a' endless loop
    (if (call $is (local.get $at) (i32.const 98)) (then (drop (call $down (i32.const 0)))))            ;; 'b' recursion
    (if (call $is (local.get $at) (i32.const 99)) (then (call $tree (i32.const 60))))                  ;; 'c' tree of calls
    (if (call $is (local.get $at) (i32.const 100)) (then                                               ;; 'd' memory bomb
      (loop $l (br_if $l (i32.ne (memory.grow (i32.const 1)) (i32.const -1))))
      (i32.store (i32.const 8) (memory.size))
      (return (i64.const 0x800000004))))
    (if (call $is (local.get $at) (i32.const 101)) (then (unreachable)))                               ;; 'e' trap
    (if (call $is (local.get $at) (i32.const 102)) (then (return (i64.const 0xfffffff000000020))))     ;; 'f' pointer + length wraps
    (if (call $is (local.get $at) (i32.const 103)) (then (return (i64.const 0x1fff000000011))))        ;; 'g' one byte past the end
    (if (call $is (local.get $at) (i32.const 104)) (then (return (i64.const 0))))                      ;; 'h' failure
    (if (call $is (local.get $at) (i32.const 105)) (then (return (i64.const 0x0000000000010001))))     ;; 'i' 64 KiB + 1
    (if (call $is (local.get $at) (i32.const 106)) (then (return (i64.const 0x00000001ffffffff))))     ;; 'j' 4 GiB
    (if (call $is (local.get $at) (i32.const 107)) (then                                               ;; 'k' log storm
      (loop $l (call $log (i32.const 1) (i32.const 16) (i32.const 1)) (br $l))))
    (if (call $is (local.get $at) (i32.const 108)) (then                                               ;; 'l' a lot of log
      (call $log (i32.const 1) (i32.const 1024) (i32.const 65536))
      (return (i64.const 0x100000001))))
    (if (call $is (local.get $at) (i32.const 109)) (then (call $log (i32.const 1) (i32.const 0x1fff0) (i32.const 17)))) ;; 'm' log outside memory
    (if (call $is (local.get $at) (i32.const 110)) (then (call $log (i32.const 9) (i32.const 0) (i32.const 0))))        ;; 'n' log level
    (if (call $is (local.get $at) (i32.const 111)) (then (call $exit (i32.const 0))))                  ;; 'o' exit 0
    (if (call $is (local.get $at) (i32.const 112)) (then (call $exit (i32.const 0xefffffff))))         ;; 'p' exit like a time-out
    (if (call $is (local.get $at) (i32.const 113)) (then                                               ;; 'q' table bomb
      (local.set $i (table.grow $t (ref.null func) (i32.const 0x10000000)))
      (i32.store (i32.const 8) (local.get $i))
      (return (i64.const 0x800000004))))
    (if (call $is (local.get $at) (i32.const 114)) (then                                               ;; 'r' overlaps the request
      (i32.store8 (local.get $at) (i32.const 82))
      (return (i64.or (i64.shl (i64.extend_i32_u (local.get $at)) (i64.const 32)) (i64.extend_i32_u (local.get $n))))))
    (if (call $is (local.get $at) (i32.const 115)) (then                                               ;; 's' terminal control in the log
      (call $log (i32.const 3) (i32.const 16) (i32.const 5))
      (return (i64.const 0x100000001))))
    (if (call $is (local.get $at) (i32.const 116)) (then                                               ;; 't' WASI with bad pointers: the error numbers
      (i32.store8 (i32.const 8) (call $write (i32.const 1) (i32.const 0xfffffff0) (i32.const 1000) (i32.const 0)))
      (i32.store8 (i32.const 9) (call $write (i32.const 1) (i32.const 0) (i32.const 0x40000000) (i32.const 0)))
      (i32.store8 (i32.const 10) (call $write (i32.const 7) (i32.const 0) (i32.const 0) (i32.const 0)))
      (i32.store8 (i32.const 11) (call $random (i32.const 0x1fff0) (i32.const 64)))
      (i32.store8 (i32.const 12) (call $random (i32.const 0) (i32.const 0x10001)))
      (i32.store8 (i32.const 13) (call $clock (i32.const 0) (i64.const 0) (i32.const 0x1ffff)))
      (i32.store8 (i32.const 14) (call $poll (i32.const 0) (i32.const 0) (i32.const 0x05555556) (i32.const 0)))
      (i32.store8 (i32.const 15) (call $poll (i32.const 0x1fff0) (i32.const 0) (i32.const 1) (i32.const 0)))
      (return (i64.const 0x800000008))))
    (if (call $is (local.get $at) (i32.const 117)) (then                                               ;; 'u' clock and random
      (drop (call $clock (i32.const 0) (i64.const 0) (i32.const 256)))
      (drop (call $clock (i32.const 1) (i64.const 0) (i32.const 264)))
      (drop (call $random (i32.const 272) (i32.const 40)))
      (return (i64.const 0x10000000038))))
    (if (call $is (local.get $at) (i32.const 118)) (then                                               ;; 'v' prints a lot
      (loop $l
        (i32.store (i32.const 32) (i32.const 1024)) (i32.store (i32.const 36) (i32.const 4096))
        (drop (call $write (i32.const 2) (i32.const 32) (i32.const 1) (i32.const 40)))
        (local.set $i (i32.add (local.get $i) (i32.const 1)))
        (br_if $l (i32.lt_u (local.get $i) (i32.const 1000))))
      (return (i64.const 0x100000001))))
    (if (call $is (local.get $at) (i32.const 119)) (then                                               ;; 'w' fills memory without end
      (loop $l (memory.fill (i32.const 64) (i32.const 1) (i32.const 0x1f000)) (br $l))))
    (if (call $is (local.get $at) (i32.const 120)) (then (return (i64.const 0x1000000000))))           ;; 'x' empty result
    (i64.const 0x100000001)))
