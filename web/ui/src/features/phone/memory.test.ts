import { expect, test } from 'vitest'
import type { Alert } from '@/shared/api/types'
import type { EventFrame } from '@/shared/live/frames'
import { anEvent } from '@/shared/testing/fixtures'
import { addMissed, asksForAck, inReplay, parseMemory, phoneOrder, type Missed } from './memory'

const alert = (change: Partial<Alert>): Alert =>
  ({ id: 1, level: 1, detection: 'firing', handling: 'new', risen_at: '2026-11-23T10:00:00Z', confirmations: [], ...change }) as Alert
const frame = (seq: number, kind: string, a: Alert): EventFrame => anEvent(seq, kind, { alert: a, device_level: a.level })

test('memory that is broken or foreign is begun anew', () => {
  const id = 'a'.repeat(32)
  const made = 'b'.repeat(32)
  for (const text of [null, '', 'x', '[]', '1', 'null', '{"client":7,"position":{"epoch":"","seq":-1},"pending":"x"}']) {
    expect(parseMemory(text, () => made)).toEqual({ client: made, position: null, pending: [] })
  }
  const kept = { client: id, position: { epoch: 'e', seq: 4, id: 'e4' }, pending: [{ id: 3, level: 1 }] }
  expect(parseMemory(JSON.stringify(kept), () => made)).toEqual(kept)
  expect(parseMemory(JSON.stringify({ ...kept, pending: [3, -1, 'x', 1.5, { id: 4, level: 7 }, { id: 5, level: 2 }] }), () => made).pending).toEqual([{ id: 3, level: 0 }, { id: 5, level: 2 }])
})

test('what waits comes first, of that the worst, and of one level the newest rise', () => {
  const all = [
    alert({ id: 1, detection: 'cleared', peak_level: 1, risen_at: '2026-11-23T12:00:00Z' }),
    alert({ id: 2, handling: 'acknowledged', risen_at: '2026-11-23T11:00:00Z' }),
    alert({ id: 3, level: 4, risen_at: '2026-11-23T10:30:00Z' }),
    alert({ id: 4, level: 1, risen_at: '2026-11-23T10:00:00Z' }),
    alert({ id: 5, level: 1, risen_at: '2026-11-23T10:30:00Z' }),
  ]
  expect(all.sort(phoneOrder((a) => a.handling === 'new')).map((a) => a.id)).toEqual([5, 4, 3, 2, 1])
})

test('a county confirms for itself, at the level that the alert has', () => {
  const mark = { division: '370602', user: 'r', name: 'r', level: 4 as const, at: '', current: true }
  expect(asksForAck(alert({}), '370602')).toBe(true)
  expect(asksForAck(alert({ handling: 'acknowledged', confirmations: [{ ...mark, division: '3706' }] }), '370602')).toBe(true)
  expect(asksForAck(alert({ handling: 'acknowledged', confirmations: [mark] }), '370602')).toBe(false)
  expect(asksForAck(alert({ confirmations: [{ ...mark, current: false }] }), '370602')).toBe(true)
  expect(asksForAck(alert({ handling: 'closed' }), '370602')).toBe(false)
  expect(asksForAck(alert({ possible: ['resolve'] }), '370602')).toBe(false)
})

test('missed events are told by alert, the last change first', () => {
  let list: Missed[] = []
  list = addMissed(list, frame(1, 'alert.issued', alert({ id: 7 })))
  list = addMissed(list, frame(2, 'alert.issued', alert({ id: 8 })))
  list = addMissed(list, frame(3, 'alert.cleared', alert({ id: 7, detection: 'cleared' })))
  expect(list.map((m) => [m.id, m.kind, m.fresh])).toEqual([[7, 'alert.cleared', true], [8, 'alert.issued', true]])
  expect(addMissed(list, { ...frame(4, 'layer.changed', alert({})), payload: {} })).toEqual(list)
})

test('a replay ends at the head that the server named', () => {
  expect(inReplay(5, null)).toBe(false)
  expect([4, 5, 8, 9].map((seq) => inReplay(seq, { from: 4, to: 8 }))).toEqual([false, true, true, false])
})
