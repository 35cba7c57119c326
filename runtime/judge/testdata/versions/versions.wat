;; A policy that says which one it is: the reason of its verdict is "a_" and one character of its configuration, which is
;; {"v":"…"}. An even digit allows, an odd one denies. Tests make version "b" by changing the letter in the module's
;; bytes, and add the manifest. A request with the word "trap" in it traps, and so does everything under "t"; a
;; configuration of "r" is refused.
;;
;; wat2wasm versions.wat -o versions.wasm
(module
  (memory (export "memory") 2)
  ;; DecideResult{Outcome: allow, Reasons: [{Code: "a_?"}]}; a deny leaves the first two bytes out.
  (data (i32.const 16) "\08\02\12\05\0a\03a_?")
  ;; ConfigureResult{Ok: true}
  (data (i32.const 32) "\08\01")

  (func (export "purser_abi_1") (result i32) (i32.const 0))
  (func (export "purser_alloc") (param i32) (result i32) (i32.const 4096))

  (func $answer (param $at i32) (param $n i32) (result i64)
    (i64.or (i64.shl (i64.extend_i32_u (local.get $at)) (i64.const 32)) (i64.extend_i32_u (local.get $n))))

  ;; The message is 0a, a length, and then the configuration: its value is the ninth byte.
  (func (export "purser_configure") (param $at i32) (param $n i32) (result i64)
    (if (i32.lt_u (local.get $n) (i32.const 9)) (then (return (call $answer (i32.const 40) (i32.const 0)))))
    (i32.store8 (i32.const 24) (i32.load8_u offset=8 (local.get $at)))
    (if (i32.eq (i32.load8_u (i32.const 24)) (i32.const 0x72)) (then (return (call $answer (i32.const 40) (i32.const 0)))))
    (call $answer (i32.const 32) (i32.const 2)))

  (func (export "purser_policy_decide") (param $at i32) (param $n i32) (result i64)
    (local $end i32)
    (if (i32.eq (i32.load8_u (i32.const 24)) (i32.const 0x74)) (then (unreachable)))
    (local.set $end (i32.sub (i32.add (local.get $at) (local.get $n)) (i32.const 4)))
    (block $done
      (loop $next
        (br_if $done (i32.gt_s (local.get $at) (local.get $end)))
        (if (i32.eq (i32.load (local.get $at)) (i32.const 0x70617274)) (then (unreachable)))
        (local.set $at (i32.add (local.get $at) (i32.const 1)))
        (br $next)))
    (if (i32.and (i32.load8_u (i32.const 24)) (i32.const 1)) (then (return (call $answer (i32.const 18) (i32.const 7)))))
    (call $answer (i32.const 16) (i32.const 9))))
