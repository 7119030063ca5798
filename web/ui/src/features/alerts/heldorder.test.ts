import { expect, test } from 'vitest'
import type { Alert } from '@/shared/api/types'
import { heldRows, rangeOf, waitingUpdates } from './heldorder'

const alert = (id: number, over: Partial<Alert> = {}) => ({ id, level: 3, peak_level: 3, detection: 'firing', risen_at: `t${id}`, ...over }) as Alert
const ids = (rows: Alert[]) => rows.map((a) => a.id)
const rows = [alert(3), alert(2), alert(1)]
const find = (all: Alert[]) => (id: number) => all.find((a) => a.id === id)

test('held rows keep their places, as they are now, and nothing new is kept back', () => {
  const risen = alert(1, { level: 1, risen_at: 't9' })
  const now = [risen, alert(4, { level: 1 }), alert(3), alert(2)]
  expect(ids(heldRows(null, now, find(now)))).toEqual([1, 4, 3, 2])
  const held = heldRows({ rows }, now, find(now))
  expect(ids(held)).toEqual([3, 2, 1, 4])
  expect(held[2]).toBe(risen)
})

test('what is gone keeps its row until the list is sorted', () => {
  const now = [alert(3), alert(1)]
  expect(ids(heldRows({ rows }, now, find(now)))).toEqual([3, 2, 1])
})

test('updates are what comes, goes or moves', () => {
  expect(waitingUpdates(null, rows)).toBe(0)
  expect(waitingUpdates({ rows }, rows)).toBe(0)
  expect(waitingUpdates({ rows }, [alert(3), alert(2), alert(1, { value: 9 } as never)])).toBe(0)
  expect(waitingUpdates({ rows }, [alert(5), alert(3), alert(2, { level: 1 })])).toBe(3) // one new, one risen, one gone
})

test('a range is taken in the order shown, either way', () => {
  expect(rangeOf([9, 4, 7, 1], 4, 1)).toEqual([4, 7, 1])
  expect(rangeOf([9, 4, 7, 1], 1, 4)).toEqual([4, 7, 1])
  expect(rangeOf([9, 4], 5, 4)).toEqual([4])
  expect(rangeOf([9, 4], 9, 5)).toEqual([])
})
