;; Stands in for `wasi_snapshot_preview1`, which Rust's standard library is linked against, with fixed answers: there is
;; no environment, no argument, no file, no output and no randomness. It imports nothing but the engine's memory, so the
;; component that is made with it cannot reach anything either. A function that the engine comes to need is missing here,
;; and the build says so.
(module
  (import "env" "memory" (memory 0))

  ;; Every function answers with WASI's errno 0, success.

  ;; () -> no variables: count and bytes are zero.
  (func (export "environ_sizes_get") (param $count i32) (param $bytes i32) (result i32)
    (i32.store (local.get $count) (i32.const 0))
    (i32.store (local.get $bytes) (i32.const 0))
    (i32.const 0))
  (func (export "environ_get") (param i32 i32) (result i32)
    (i32.const 0))

  ;; Time stands still; the engine measures through the contract's clock.
  (func (export "clock_time_get") (param i32) (param i64) (param $time i32) (result i32)
    (i64.store (local.get $time) (i64.const 0))
    (i32.const 0))

  ;; Fills the buffer with a constant: hash maps are seeded with it, and nothing else asks.
  (func (export "random_get") (param $buffer i32) (param $length i32) (result i32)
    (memory.fill (local.get $buffer) (i32.const 0x5a) (local.get $length))
    (i32.const 0))

  ;; Swallows what is written: the sum of the lengths of the vectors `{ pointer, length }`.
  (func (export "fd_write") (param i32) (param $vectors i32) (param $count i32) (param $written i32) (result i32)
    (local $total i32)
    (block $done
      (loop $next
        (br_if $done (i32.eqz (local.get $count)))
        (local.set $total (i32.add (local.get $total) (i32.load offset=4 (local.get $vectors))))
        (local.set $vectors (i32.add (local.get $vectors) (i32.const 8)))
        (local.set $count (i32.sub (local.get $count) (i32.const 1)))
        (br $next)))
    (i32.store (local.get $written) (local.get $total))
    (i32.const 0))

  ;; There is one thread.
  (func (export "sched_yield") (result i32) (i32.const 0))

  ;; A process that exits is an engine that has failed: the host is told by a trap.
  (func (export "proc_exit") (param i32) (unreachable)))
