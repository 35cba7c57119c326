;; manifest {"name":"attack-indirect","version":"1.0.0","kind":"policy","abi":{"major":1,"minor":0},"description":"a guest of a test","license":"Apache-2.0"}
;; A policy that reaches the host by ways the meter does not see as calls of the host: through a table, and by exporting
;; an import as one of its own functions. 'l' logs for ever through the table, 'p' exits through it.
(module
  (type $three (func (param i32 i32 i32)))
  (type $two (func (param i32 i32) (result i32)))
  (type $one (func (param i32)))
  (import "wasi_snapshot_preview1" "sched_yield" (func $yield (result i32)))
  (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (import "purser_host_1" "log" (func $log (param i32 i32 i32)))
  (memory (export "memory") 1)
  (table 3 funcref)
  (elem (i32.const 0) func $log $random $exit)

  (export "purser_abi_1" (func $yield))
  (func (export "purser_alloc") (param i32) (result i32) (i32.const 4096))
  (func (export "purser_configure") (param i32 i32) (result i64) (i64.const 0x100000001))

  (func (export "purser_policy_decide") (param $at i32) (param $n i32) (result i64)
    (if (i32.eq (i32.load8_u (local.get $at)) (i32.const 112)) (then (call_indirect (type $one) (i32.const 0) (i32.const 2))))
    (if (i32.eq (i32.load8_u (local.get $at)) (i32.const 108)) (then
      (loop $l (call_indirect (type $three) (i32.const 1) (local.get $at) (i32.const 1) (i32.const 0)) (br $l))))
    (call_indirect (type $three) (i32.const 1) (local.get $at) (local.get $n) (i32.const 0))
    (drop (call_indirect (type $two) (i32.const 8) (i32.const 16) (i32.const 1)))
    (i64.const 0x800000010)))
