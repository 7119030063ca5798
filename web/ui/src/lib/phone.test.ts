import { expect, test } from 'vitest'
import type { Alert, Delivery } from '../api/types'
import type { EventFrame } from '../live/frames'
import { addMissed, asksForAck, inReplay, isNews, parseMemory, phoneOrder, type Missed } from './phone'

const alert = (change: Partial<Alert>): Alert =>
  ({ id: 1, level: 1, detection: 'firing', handling: 'new', opened_at: '2026-11-23T10:00:00Z', ...change }) as Alert
const frame = (seq: number, kind: string, a: Alert): EventFrame => ({
  type: 'event', seq, at: `2026-11-23T10:00:0${seq}Z`, kind, subject: String(a.id), payload: { alert: a, device_level: a.level },
})
const delivery = (confirmed: string[]): Delivery =>
  ({ division: '370602', name: { zh: '', en: '' }, connected: [], received: [], confirmed: confirmed.map((user) => ({ user, name: user, at: '' })) })

test('memory that is broken or foreign is begun anew', () => {
  const id = 'a'.repeat(32)
  const made = 'b'.repeat(32)
  for (const text of [null, '', 'x', '[]', '1', 'null', '{"client":7,"position":{"epoch":"","seq":-1},"pending":"x"}']) {
    expect(parseMemory(text, () => made)).toEqual({ client: made, position: null, pending: [], armed: false })
  }
  const kept = { client: id, position: { epoch: 'e', seq: 4 }, pending: [3], armed: true }
  expect(parseMemory(JSON.stringify(kept), () => made)).toEqual(kept)
  expect(parseMemory(JSON.stringify({ ...kept, pending: [3, -1, 'x', 1.5] }), () => made).pending).toEqual([3])
})

test('what is unhandled comes first, and of that the newest', () => {
  const all = [
    alert({ id: 1, detection: 'cleared', opened_at: '2026-11-23T12:00:00Z' }),
    alert({ id: 2, handling: 'acknowledged', opened_at: '2026-11-23T11:00:00Z' }),
    alert({ id: 3, level: 4, opened_at: '2026-11-23T10:30:00Z' }),
    alert({ id: 4, level: 1, opened_at: '2026-11-23T10:00:00Z' }),
    alert({ id: 5, level: 1, opened_at: '2026-11-23T10:30:00Z' }),
  ]
  expect(all.sort(phoneOrder).map((a) => a.id)).toEqual([5, 3, 4, 2, 1])
})

test('a county confirms for itself', () => {
  expect(asksForAck(alert({}), undefined)).toBe(true)
  expect(asksForAck(alert({ handling: 'acknowledged' }), undefined)).toBe(false)
  expect(asksForAck(alert({ handling: 'acknowledged' }), delivery([]))).toBe(true)
  expect(asksForAck(alert({ handling: 'acknowledged' }), delivery(['r370602']))).toBe(false)
  expect(asksForAck(alert({ handling: 'closed' }), delivery([]))).toBe(false)
})

test('the whole screen is for what began or got worse', () => {
  const orange = alert({ level: 2 })
  expect(isNews(frame(1, 'alert.issued', orange), orange, undefined)).toBe(true)
  expect(isNews(frame(1, 'alert.updated', orange), orange, 3)).toBe(true)
  expect(isNews(frame(1, 'alert.updated', orange), orange, 2)).toBe(false)
  expect(isNews(frame(1, 'alert.updated', orange), orange, 1)).toBe(false)
  expect(isNews(frame(1, 'alert.acknowledged', orange), orange, undefined)).toBe(false)
  const over = alert({ detection: 'cleared' })
  expect(isNews(frame(1, 'alert.issued', over), over, undefined)).toBe(false)
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
