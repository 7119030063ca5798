import { expect, test } from 'vitest'
import { rovingTarget } from './roving'

test('arrows move by one and stop at the ends, Home and End lead there', () => {
  expect(rovingTarget('ArrowDown', 0, 3, 'vertical')).toBe(1)
  expect(rovingTarget('ArrowDown', 2, 3, 'vertical')).toBe(2)
  expect(rovingTarget('ArrowUp', 0, 3, 'vertical')).toBe(0)
  expect(rovingTarget('ArrowRight', 0, 3, 'vertical')).toBeNull()
  expect(rovingTarget('ArrowRight', 0, 3, 'horizontal')).toBe(1)
  expect(rovingTarget('ArrowLeft', 1, 3, 'both')).toBe(0)
  expect(rovingTarget('Home', 2, 3, 'horizontal')).toBe(0)
  expect(rovingTarget('End', 0, 3, 'vertical')).toBe(2)
  expect(rovingTarget('ArrowDown', -1, 0, 'vertical')).toBeNull()
  expect(rovingTarget('x', 1, 3, 'both')).toBeNull()
})
