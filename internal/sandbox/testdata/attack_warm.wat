;; manifest {"name":"attack-warm","version":"1.0.0","kind":"policy","abi":{"major":1,"minor":0},"description":"a guest of a test","license":"Apache-2.0","vectors":[{"name":"one","call":"decide","config":{},"request":{},"result":{}},{"name":"two","call":"decide","config":{},"request":{},"result":{}}]}
;; A policy that uses its warm-up (calls with an empty request) to leave something behind: in memory, in its size, in
;; globals of every type, NaNs with payloads among them. The first byte of its configuration makes the warm-up fail: 't'
;; touches a table, 'x' traps, 'g' grows and then traps. Other requests answer with all that is remembered, then change it.
(module
  (memory (export "memory") 1)
  (table $t 2 funcref)
  (global $config (mut i32) (i32.const 0))
  (global $count (mut i32) (i32.const 0))
  (global $wide (mut i64) (i64.const -1))
  (global $single (mut f32) (f32.const nan:0x200001))
  (global $double (export "seen") (mut f64) (f64.const nan:0x4000000000001))
  (elem declare func $warm)

  (func (export "purser_abi_1") (result i32) (i32.const 0))
  (func (export "purser_alloc") (param i32) (result i32) (i32.const 4096))
  (func (export "purser_configure") (param $at i32) (param $n i32) (result i64)
    (if (local.get $n) (then (global.set $config (i32.load8_u (local.get $at)))))
    (i64.const 0x100000001))

  (func $change
    (i32.store (i32.const 2048) (i32.add (i32.load (i32.const 2048)) (i32.const 1)))
    (global.set $count (i32.add (global.get $count) (i32.const 1)))
    (global.set $wide (i64.add (global.get $wide) (i64.const 0x100000001)))
    (global.set $single (f32.reinterpret_i32 (i32.add (i32.reinterpret_f32 (global.get $single)) (i32.const 1))))
    (global.set $double (f64.reinterpret_i64 (i64.add (i64.reinterpret_f64 (global.get $double)) (i64.const 1)))))

  (func $warm
    (call $change)
    (if (i32.eq (global.get $config) (i32.const 103)) (then (drop (memory.grow (i32.const 3))) (unreachable)))
    (if (i32.eq (global.get $config) (i32.const 116)) (then (table.set $t (i32.const 1) (ref.func $warm))))
    (if (i32.eq (global.get $config) (i32.const 120)) (then (unreachable)))
    (drop (memory.grow (i32.const 1))))

  (func (export "purser_policy_decide") (param $at i32) (param $n i32) (result i64)
    (if (i32.eqz (local.get $n)) (then (call $warm) (return (i64.const 0x100000000))))
    (if (i32.eq (i32.load8_u (local.get $at)) (i32.const 33)) (then (unreachable)))
    (i32.store (i32.const 8) (i32.load (i32.const 2048)))
    (i32.store (i32.const 12) (global.get $count))
    (i64.store (i32.const 16) (global.get $wide))
    (f32.store (i32.const 24) (global.get $single))
    (i32.store (i32.const 28) (memory.size))
    (f64.store (i32.const 32) (global.get $double))
    (i32.store (i32.const 40) (i32.eqz (ref.is_null (table.get $t (i32.const 1)))))
    (call $change)
    (i64.const 0x800000024)))
