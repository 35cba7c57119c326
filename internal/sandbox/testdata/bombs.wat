;; manifest {"name":"bombs","version":"1.0.0","kind":"policy","abi":{"major":1,"minor":0},"description":"a guest of a test","license":"Apache-2.0"}
;; A policy that works as hard as it can for ever, each time in another way. The first byte of a request picks how.
(module
  (import "purser_host_1" "log" (func $log (param i32 i32 i32)))
  (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "poll_oneoff" (func $poll (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "sched_yield" (func $yield (result i32)))
  (type $fn (func (param i32) (result i32)))
  (memory (export "memory") 256 256)
  (table $t 100000 131072 funcref)
  (table $u 100000 131072 funcref)
  (global $g (mut i64) (i64.const 1))
  (data $passive "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef")
  (elem (table $t) (i32.const 0) func $indirect $ping)
  (elem $segment func $indirect $ping $pong $indirect $ping $pong $indirect $ping $pong)

  (func (export "purser_abi_1") (result i32) (i32.const 0))
  (func (export "purser_alloc") (param i32) (result i32) (i32.const 4096))
  (func (export "purser_configure") (param i32 i32) (result i64) (i64.const 0x100000001))

  (func $is (param $at i32) (param $c i32) (result i32) (i32.eq (i32.load8_u (local.get $at)) (local.get $c)))
  (func $leaf (param i32) (result i32) (i32.add (local.get 0) (i32.const 1)))
  (func $indirect (param i32) (result i32) (call_indirect $t (type $fn) (local.get 0) (i32.const 0)))
  (func $ping (param i32) (result i32) (i32.add (call $pong (local.get 0)) (i32.const 1)))
  (func $pong (param i32) (result i32) (i32.add (call $ping (local.get 0)) (i32.const 1)))
  (func $fat (param i32) (result i64)
    (local i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64)
    (local.set 1 (call $fat (local.get 0)))
    (i64.add (local.get 1) (i64.add (local.get 8) (i64.add (local.get 16) (local.get 32)))))

  (func (export "purser_policy_decide") (param $at i32) (param $n i32) (result i64)
    (local $i i32) (local $x i64) (local $f f64)
    (local.set $x (i64.const 0x7fffffffffffffff))
    (local.set $f (f64.const 1.5))
    (if (call $is (local.get $at) (i32.const 97)) (then (loop $l (br $l))))                    ;; 'a' nothing at all
    (if (call $is (local.get $at) (i32.const 98)) (then (drop (call $indirect (i32.const 0))))) ;; 'b' indirect recursion
    (if (call $is (local.get $at) (i32.const 99)) (then (drop (call $ping (i32.const 0)))))    ;; 'c' mutual recursion
    (if (call $is (local.get $at) (i32.const 100)) (then (drop (call $fat (i32.const 0)))))    ;; 'd' recursion with large frames
    (if (call $is (local.get $at) (i32.const 101)) (then                                       ;; 'e' divisions
      (loop $l (local.set $x (i64.or (i64.div_u (i64.const -1) (local.get $x)) (i64.const 3))) (br $l))))
    (if (call $is (local.get $at) (i32.const 102)) (then                                       ;; 'f' square roots
      (loop $l (local.set $f (f64.sqrt (f64.add (local.get $f) (f64.const 2)))) (br $l))))
    (if (call $is (local.get $at) (i32.const 103)) (then                                       ;; 'g' a global
      (loop $l (global.set $g (i64.mul (global.get $g) (i64.const 3))) (br $l))))
    (if (call $is (local.get $at) (i32.const 104)) (then                                       ;; 'h' loads all over memory
      (loop $l
        (local.set $i (i32.and (i32.add (i32.mul (local.get $i) (i32.const 1103515245)) (i32.const 12345)) (i32.const 0xfffff8)))
        (i64.store (local.get $i) (i64.add (i64.load (local.get $i)) (i64.const 1)))
        (br $l))))
    (if (call $is (local.get $at) (i32.const 105)) (then (loop $l (drop (call $leaf (i32.const 1))) (br $l))))  ;; 'i' calls
    (if (call $is (local.get $at) (i32.const 106)) (then                                       ;; 'j' fills of 15 MiB
      (loop $l (memory.fill (i32.const 65536) (i32.const 7) (i32.const 0xf00000)) (br $l))))
    (if (call $is (local.get $at) (i32.const 107)) (then                                       ;; 'k' copies of 8 MiB that overlap
      (loop $l (memory.copy (i32.const 65536) (i32.const 65537) (i32.const 0x700000)) (br $l))))
    (if (call $is (local.get $at) (i32.const 108)) (then                                       ;; 'l' small fills
      (loop $l (memory.fill (i32.const 65536) (i32.const 7) (i32.const 1)) (br $l))))
    (if (call $is (local.get $at) (i32.const 109)) (then                                       ;; 'm' small initialisations
      (loop $l (memory.init $passive (i32.const 65536) (i32.const 0) (i32.const 64)) (br $l))))
    (if (call $is (local.get $at) (i32.const 110)) (then (loop $l (drop (memory.grow (i32.const 0))) (br $l))))  ;; 'n' growing by nothing
    (if (call $is (local.get $at) (i32.const 111)) (then (loop $l (drop (memory.grow (i32.const 60000))) (br $l)))) ;; 'o' growing in vain
    (if (call $is (local.get $at) (i32.const 112)) (then                                       ;; 'p' filling a table
      (loop $l (table.fill $t (i32.const 0) (ref.null func) (i32.const 100000)) (br $l))))
    (if (call $is (local.get $at) (i32.const 113)) (then                                       ;; 'q' copying a table
      (loop $l (table.copy $t $u (i32.const 0) (i32.const 0) (i32.const 100000)) (br $l))))
    (if (call $is (local.get $at) (i32.const 114)) (then                                       ;; 'r' initialising a table
      (loop $l (table.init $t $segment (i32.const 0) (i32.const 0) (i32.const 9)) (br $l))))
    (if (call $is (local.get $at) (i32.const 115)) (then                                       ;; 's' growing a table
      (loop $l (drop (table.grow $t (ref.null func) (i32.const 1))) (br $l))))
    (if (call $is (local.get $at) (i32.const 116)) (then                                       ;; 't' storing references
      (loop $l (table.set $t (i32.const 5) (table.get $u (i32.const 6))) (br $l))))
    (if (call $is (local.get $at) (i32.const 117)) (then                                       ;; 'u' random bytes
      (loop $l (drop (call $random (i32.const 65536) (i32.const 65536))) (br $l))))
    (if (call $is (local.get $at) (i32.const 118)) (then                                       ;; 'v' printing 1024 buffers at once
      (loop $fill
        (i32.store (i32.add (i32.const 65536) (i32.mul (local.get $i) (i32.const 8))) (i32.const 131072))
        (i32.store (i32.add (i32.const 65540) (i32.mul (local.get $i) (i32.const 8))) (i32.const 0x100000))
        (local.set $i (i32.add (local.get $i) (i32.const 1)))
        (br_if $fill (i32.lt_u (local.get $i) (i32.const 1024))))
      (loop $l (drop (call $write (i32.const 1) (i32.const 65536) (i32.const 1024) (i32.const 64))) (br $l))))
    (if (call $is (local.get $at) (i32.const 119)) (then                                       ;; 'w' waiting for 64 things
      (loop $l (drop (call $poll (i32.const 65536) (i32.const 131072) (i32.const 64) (i32.const 64))) (br $l))))
    (if (call $is (local.get $at) (i32.const 120)) (then (loop $l (drop (call $yield)) (br $l))))  ;; 'x' host calls that do nothing
    (if (call $is (local.get $at) (i32.const 121)) (then                                       ;; 'y' a branch table
      (loop $l (block $a (block $b (block $c (br_table $a $b $c $l (i32.and (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 3)))))) (br $l))))
    (if (call $is (local.get $at) (i32.const 65)) (then                                        ;; 'A' loads that wait for each other and miss every cache
      (loop $l ;; one cycle through all lines of 64 bytes, in no order that a processor guesses
        (i32.store (i32.shl (local.get $i) (i32.const 6))
          (i32.shl (i32.and (i32.add (i32.mul (local.get $i) (i32.const 1103515245)) (i32.const 12345)) (i32.const 0x3ffff)) (i32.const 6)))
        (local.set $i (i32.add (local.get $i) (i32.const 1)))
        (br_if $l (i32.lt_u (local.get $i) (i32.const 0x40000))))
      (local.set $i (i32.const 0))
      (loop $l (local.set $i (i32.load (i32.load (i32.load (i32.load (i32.load (i32.load (i32.load (i32.load (i32.load (i32.load (i32.load (i32.load (i32.load (i32.load (i32.load (i32.load (i32.load (i32.load (i32.load (i32.load (i32.load (i32.load (i32.load (i32.load (i32.load (i32.load (i32.load (i32.load (i32.load (i32.load (i32.load (i32.load (local.get $i)))))))))))))))))))))))))))))))))) (br $l))))
    (if (call $is (local.get $at) (i32.const 122)) (then                                       ;; 'z' conversions of floats
      (loop $l (local.set $f (f64.promote_f32 (f32.demote_f64 (f64.nearest (f64.convert_i64_u (i64.trunc_sat_f64_u (local.get $f))))))) (br $l))))
    (i64.const 0x100000001)))
