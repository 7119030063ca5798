import { expect, test } from 'vitest'
import { endToTell, refreshEvery } from './sessionwatch'

const noon = Date.parse('2026-07-01T12:00:00Z')
const minute = 60_000
const me = (expires: number, ends: number | null) => ({
  expires: new Date(noon + expires * minute).toISOString(),
  ends: ends === null ? null : new Date(noon + ends * minute).toISOString(),
})

test('an end is told half an hour before, when the use of the page does not move it', () => {
  expect(endToTell(me(720, 9000), true, noon)).toBeNull()
  expect(endToTell(me(20, 9000), true, noon)).toBeNull() // use moves it
  expect(endToTell(me(20, 9000), false, noon)).toBe(noon + 20 * minute) // nobody uses the page
  expect(endToTell(me(30, 30), true, noon)).toBe(noon + 30 * minute)
  expect(endToTell(me(31, 31), true, noon)).toBeNull()
  expect(endToTell(me(720, null), true, noon)).toBeNull() // a display
})

test('a page in use asks every five minutes, and in time of a short session', () => {
  expect(refreshEvery(me(720, 9000), noon)).toBe(5 * minute)
  expect(refreshEvery(me(3, 9000), noon)).toBe(minute)
  expect(refreshEvery(me(0, 9000), noon)).toBe(1000)
})
