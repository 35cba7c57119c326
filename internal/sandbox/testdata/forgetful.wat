;; manifest {"name":"forgetful","version":"1.0.0","kind":"policy","abi":{"major":1,"minor":0},"description":"a guest of a test","license":"Apache-2.0"}
;; A policy that tries to remember its earlier calls. The first byte of a request picks where. It answers with what it
;; remembers and then remembers one more, so that every answer after the first differs if anything is kept.
(module
  (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
  (memory (export "memory") 2)
  (table $t 4 funcref)
  (global $count (mut i32) (i32.const 0))
  (global $wide (mut i64) (i64.const 0))
  (global $real (mut f64) (f64.const 0))
  (global $ref (mut funcref) (ref.null func))
  (data (i32.const 1024) "seen ")
  (data $passive "x")
  (elem $segment func $answer)
  (elem declare func $answer)

  (func (export "purser_abi_1") (result i32) (i32.const 0))
  (func (export "purser_alloc") (param i32) (result i32) (i32.const 4096))
  (func (export "purser_configure") (param i32 i32) (result i64) (i64.const 0x100000001))

  (func $is (param $at i32) (param $c i32) (result i32) (i32.eq (i32.load8_u (local.get $at)) (local.get $c)))
  (func $answer (param $n i32) (result i64)
    (i32.store (i32.const 8) (local.get $n))
    (i64.const 0x800000004))

  (func (export "purser_policy_decide") (param $at i32) (param $n i32) (result i64)
    (local $seen i32)
    (if (call $is (local.get $at) (i32.const 109)) (then                        ;; 'm' in memory
      (local.set $seen (i32.load (i32.const 2048)))
      (i32.store (i32.const 2048) (i32.add (local.get $seen) (i32.const 1)))))
    (if (call $is (local.get $at) (i32.const 101)) (then                        ;; 'e' in the last bytes of memory
      (local.set $seen (i32.load8_u (i32.const 0x1ffff)))
      (i32.store8 (i32.const 0x1ffff) (i32.add (local.get $seen) (i32.const 1)))))
    (if (call $is (local.get $at) (i32.const 103)) (then                        ;; 'g' in a global
      (local.set $seen (global.get $count))
      (global.set $count (i32.add (local.get $seen) (i32.const 1)))))
    (if (call $is (local.get $at) (i32.const 119)) (then                        ;; 'w' in a wide one
      (local.set $seen (i32.wrap_i64 (i64.shr_u (global.get $wide) (i64.const 40))))
      (global.set $wide (i64.add (global.get $wide) (i64.const 0x10000000000)))))
    (if (call $is (local.get $at) (i32.const 102)) (then                        ;; 'f' in one of floats
      (local.set $seen (i32.trunc_f64_s (global.get $real)))
      (global.set $real (f64.add (global.get $real) (f64.const 1)))))
    (if (call $is (local.get $at) (i32.const 114)) (then                        ;; 'r' in a global of references
      (local.set $seen (i32.eqz (ref.is_null (global.get $ref))))
      (global.set $ref (ref.func $answer))))
    (if (call $is (local.get $at) (i32.const 116)) (then                        ;; 't' in a table
      (local.set $seen (i32.eqz (ref.is_null (table.get $t (i32.const 2)))))
      (table.set $t (i32.const 2) (ref.func $answer))))
    (if (call $is (local.get $at) (i32.const 84)) (then                         ;; 'T' in a table, in bulk
      (local.set $seen (i32.eqz (ref.is_null (table.get $t (i32.const 3)))))
      (table.fill $t (i32.const 3) (ref.func $answer) (i32.const 1))))
    (if (call $is (local.get $at) (i32.const 105)) (then                        ;; 'i' in a table, from a segment
      (local.set $seen (i32.eqz (ref.is_null (table.get $t (i32.const 1)))))
      (table.init $t $segment (i32.const 1) (i32.const 0) (i32.const 1))))
    (if (call $is (local.get $at) (i32.const 108)) (then                        ;; 'l' in the length of a table
      (local.set $seen (table.size $t))
      (drop (table.grow $t (ref.null func) (i32.const 1)))))
    (if (call $is (local.get $at) (i32.const 115)) (then                        ;; 's' in the size of memory
      (local.set $seen (memory.size))
      (drop (memory.grow (i32.const 1)))))
    (if (call $is (local.get $at) (i32.const 122)) (then                        ;; 'z' in the position of the random stream
      (drop (call $random (i32.const 16) (i32.const 4)))
      (local.set $seen (i32.load (i32.const 16)))))
    (if (call $is (local.get $at) (i32.const 100)) (then                        ;; 'd' in a dropped segment: the second call traps
      (memory.init $passive (i32.const 32) (i32.const 0) (i32.const 1))
      (local.set $seen (i32.load8_u (i32.const 32)))
      (data.drop $passive)))
    (if (call $is (local.get $at) (i32.const 68)) (then                         ;; 'D' in a dropped element segment
      (table.init $t $segment (i32.const 0) (i32.const 0) (i32.const 1))
      (elem.drop $segment)))
    (call $answer (local.get $seen))))
