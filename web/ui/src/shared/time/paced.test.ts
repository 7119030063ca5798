import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { paced } from './paced'

beforeEach(() => vi.useFakeTimers())
afterEach(() => vi.useRealTimers())

test('the first call runs at once, a burst once more at the end', () => {
  let runs = 0
  const call = paced(() => runs++, 250)
  call()
  expect(runs).toBe(1)
  for (let i = 0; i < 50; i++) call()
  expect(runs).toBe(1)
  vi.advanceTimersByTime(249)
  expect(runs).toBe(1)
  vi.advanceTimersByTime(1)
  expect(runs).toBe(2)
  vi.advanceTimersByTime(10_000)
  expect(runs).toBe(2)
})

test('under calls without end it runs at its pace, and the last call has its run', () => {
  let [state, seen, runs] = [0, 0, 0]
  const call = paced(() => ([seen, runs] = [state, runs + 1]), 100)
  for (; state < 1000; ) {
    state++
    call()
    vi.advanceTimersByTime(7)
  }
  vi.advanceTimersByTime(100)
  expect(seen).toBe(1000)
  expect(runs).toBeLessThanOrEqual(72)
})

test('a call of f itself is not lost, and what was stopped does not run', () => {
  let runs = 0
  const call = paced(() => {
    if (++runs < 3) call()
  }, 100)
  call()
  vi.advanceTimersByTime(1000)
  expect(runs).toBe(3)
  call()
  call()
  call.stop()
  vi.advanceTimersByTime(1000)
  expect(runs).toBe(4)
  call()
  expect(runs).toBe(5)
})
