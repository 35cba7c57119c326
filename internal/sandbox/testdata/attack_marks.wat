;; manifest {"name":"attack-marks","version":"1.0.0","kind":"policy","abi":{"major":1,"minor":0},"description":"a guest of a test","license":"Apache-2.0"}
;; A policy that tries to write where the meter takes an earlier mark for good enough. The first byte of a request picks the
;; way. It answers with the sum of a few far places, all zero when nothing was kept, and then writes there.
(module
  (type $pass (func (param i32)))
  (memory (export "memory") 40)
  (func (export "purser_abi_1") (result i32) (i32.const 0))
  (func (export "purser_alloc") (param i32) (result i32) (i32.const 4096))
  (func (export "purser_configure") (param i32 i32) (result i64) (i64.const 0x100000001))

  (func $is (param $at i32) (param $c i32) (result i32) (i32.eq (i32.load8_u (local.get $at)) (local.get $c)))

  ;; The words at 0x90000, 0x110000, 0x1fff00 and 0x27fffc, each in another chunk of 64 KiB than what is written on the way.
  (func $sum (result i32)
    (i32.add (i32.add (i32.load (i32.const 0x90000)) (i32.load (i32.const 0x110000)))
             (i32.add (i32.load (i32.const 0x1fff00)) (i32.load (i32.const 0x27fffc)))))

  (func (export "purser_policy_decide") (param $at i32) (param $n i32) (result i64)
    (local $p i32) (local $w i64) (local $sum i32) (local $turn i32)
    (local.set $sum (call $sum))
    (local.set $p (i32.const 0x10000))
    (if (call $is (local.get $at) (i32.const 97)) (then                         ;; 'a' the second turn of a loop, behind a mark from before it
      (i32.store (local.get $p) (i32.const 1))
      (loop $l
        (i32.store (local.get $p) (i32.const 1))
        (local.set $p (i32.add (local.get $p) (i32.const 0x80000)))
        (br_if $l (i32.lt_u (local.get $p) (i32.const 0x280000))))
      (i32.store (i32.sub (local.get $p) (i32.const 0x1f0000)) (i32.const 1))))
    (if (call $is (local.get $at) (i32.const 98)) (then                         ;; 'b' an else that takes the mark of its then
      (local.set $p (i32.const 0x110000))
      (if (local.get $turn) (then (i32.store (local.get $p) (i32.const 1))) (else (i32.store (local.get $p) (i32.const 1))))))
    (if (call $is (local.get $at) (i32.const 99)) (then                         ;; 'c' a parameter of a loop that changes
      (local.get $p)
      (loop $l (param i32)
        (local.set $p)
        (i32.store (local.get $p) (i32.const 1))
        (i32.add (local.get $p) (i32.const 0x80000))
        (local.tee $turn)
        (br_if $l (i32.lt_u (local.get $turn) (i32.const 0x280000)))
        (drop))))
    (if (call $is (local.get $at) (i32.const 100)) (then                        ;; 'd' a difference that is no sum
      (local.set $p (i32.const 0x100000))
      (i32.store (i32.add (local.get $p) (i32.const 0x10000)) (i32.const 1))
      (i32.store (i32.sub (i32.const 0x190000) (local.get $p)) (i32.const 1))))
    (if (call $is (local.get $at) (i32.const 101)) (then                        ;; 'e' a wide local with a high half
      (local.set $w (i64.const 0x7fffffff00090000))
      (i32.store (i32.wrap_i64 (i64.sub (local.get $w) (i64.const -0x80000))) (i32.const 1))
      (i32.store (i32.wrap_i64 (local.get $w)) (i32.const 1))))
    (if (call $is (local.get $at) (i32.const 102)) (then                        ;; 'f' a block left before its mark
      (local.set $p (i32.const 0x110000))
      (block $out (br_if $out (local.get $n)) (i32.store (local.get $p) (i32.const 1)))
      (i32.store (local.get $p) (i32.const 1))))
    (if (call $is (local.get $at) (i32.const 103)) (then                        ;; 'g' an old value of a local that was marked since
      (local.set $p (i32.const 0x110000))
      (local.get $p)
      (local.set $p (i32.const 0x10000))
      (i32.store (local.get $p) (i32.const 1))
      (i32.store (i32.const 1))))
    (if (call $is (local.get $at) (i32.const 104)) (then                        ;; 'h' copies and fills over the end of a chunk, and of memory
      (memory.fill (i32.const 0x8ffff) (i32.const 1) (i32.const 0x80002))
      (memory.copy (i32.const 0x1ffeff) (i32.const 0x90000) (i32.const 0x80101))))
    (if (call $is (local.get $at) (i32.const 105)) (then                        ;; 'i' a loop in a loop, behind a mark from before both
      (i32.store (local.get $p) (i32.const 1))
      (loop $outer
        (loop $inner (br_if $inner (i32.eqz (local.tee $turn (i32.const 1)))))
        (i32.store (local.get $p) (i32.const 1))
        (local.set $p (i32.add (local.get $p) (i32.const 0x80000)))
        (br_if $outer (i32.lt_u (local.get $p) (i32.const 0x280000))))))
    (i32.store (i32.const 8) (local.get $sum))
    (i64.const 0x800000004)))
