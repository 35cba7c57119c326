;; manifest {"name":"missing-export","version":"1.0.0","kind":"policy","abi":{"major":1,"minor":0},"description":"a guest of a test","license":"Apache-2.0"}
;; Has no decide.
(module
  (memory (export "memory") 1)
  (func (export "purser_abi_1") (result i32) (i32.const 0))
  (func (export "purser_alloc") (param i32) (result i32) (i32.const 1024))
  (func (export "purser_configure") (param i32 i32) (result i64) (i64.const 0x100000001)))
