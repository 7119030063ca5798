import { expect, test } from 'vitest'
import { nextOf } from './nextalert'

test('the next alert is the one after, then the first again', () => {
  expect(nextOf([], null)).toBeNull()
  expect(nextOf([7, 8, 9], null)).toBe(7)
  expect(nextOf([7, 8, 9], 7)).toBe(8)
  expect(nextOf([7, 8, 9], 9)).toBe(7)
  expect(nextOf([7], 7)).toBeNull()
  expect(nextOf([7, 8], 5)).toBe(7) // the current one needs nothing any more
})
