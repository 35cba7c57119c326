;; manifest {"name":"echo-policy","version":"1.0.0","kind":"policy","abi":{"major":1,"minor":0},"description":"a guest of a test","license":"Apache-2.0","facts":[{"name":"quotes","provenance":"own"}]}
;; A well-behaved policy: decide returns the request after a byte that counts its own calls, so a call that sees
;; anything but 1 there has seen the memory of another. configure returns the configuration.
(module
  (import "purser_host_1" "log" (func $log (param i32 i32 i32)))
  (memory (export "memory") 2)
  (global $top (mut i32) (i32.const 1024))
  (global $calls (mut i32) (i32.const 0))
  (data (i32.const 16) "deciding")

  (func (export "purser_abi_1") (result i32) (i32.const 0))

  (func $alloc (export "purser_alloc") (param $size i32) (result i32)
    (local $at i32)
    (local.set $at (global.get $top))
    (global.set $top (i32.add (local.get $at) (local.get $size)))
    (block $fits
      (br_if $fits (i32.le_u (global.get $top) (i32.mul (memory.size) (i32.const 65536))))
      (if (i32.eq (memory.grow (i32.add (i32.div_u (local.get $size) (i32.const 65536)) (i32.const 1))) (i32.const -1))
        (then (return (i32.const 0)))))
    (local.get $at))

  (func $pack (param $at i32) (param $n i32) (result i64)
    (i64.or (i64.shl (i64.extend_i32_u (local.get $at)) (i64.const 32)) (i64.extend_i32_u (local.get $n))))

  ;; The configuration as it came; without one, the byte at 1.
  (func (export "purser_configure") (param $at i32) (param $n i32) (result i64)
    (if (i32.eqz (local.get $n)) (then (return (call $pack (i32.const 1) (i32.const 1)))))
    (call $pack (local.get $at) (local.get $n)))

  (func (export "purser_policy_decide") (param $at i32) (param $n i32) (result i64)
    (local $out i32)
    (call $log (i32.const 1) (i32.const 16) (i32.const 8))
    (global.set $calls (i32.add (global.get $calls) (i32.const 1)))
    (i32.store8 (i32.const 8) (i32.add (i32.load8_u (i32.const 8)) (i32.const 1)))
    (local.set $out (call $alloc (i32.add (local.get $n) (i32.const 1))))
    (i32.store8 (local.get $out) (i32.mul (global.get $calls) (i32.load8_u (i32.const 8))))
    (memory.copy (i32.add (local.get $out) (i32.const 1)) (local.get $at) (local.get $n))
    (call $pack (local.get $out) (i32.add (local.get $n) (i32.const 1)))))
