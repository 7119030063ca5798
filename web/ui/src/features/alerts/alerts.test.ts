import { createPinia, setActivePinia } from 'pinia'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { anAlert, anEvent, text } from '@/shared/testing/fixtures'
import { aServer } from '@/shared/testing/server'
import { answered, isActive, isOpen, matches, namedLevel, newsAt, useAlerts, type AlertFilter } from './alerts'

beforeEach(() => setActivePinia(createPinia()))
afterEach(() => vi.unstubAllGlobals())

const all: AlertFilter = { levels: [], handling: [], query: '', cleared: true }
const list = (items: ReturnType<typeof anAlert>[], over: object = {}) => ({ epoch: 'e', seq: 1, seq_id: 'e1', items, ...over })

test('a cleared alert is somebody’s business until it is closed, and is named by the worst that it was', () => {
  const cleared = anAlert(1, { detection: 'cleared', level: 4, peak_level: 1, cleared_at: 'c' })
  expect([isActive(cleared), isOpen(cleared), isOpen({ ...cleared, handling: 'closed' })]).toEqual([false, true, false])
  expect([namedLevel(cleared), namedLevel(anAlert(2, { level: 2, peak_level: 1 }))]).toEqual([1, 2])
  expect([newsAt(cleared), newsAt({ ...cleared, cleared_at: null, updated_at: 'u' }), newsAt(anAlert(3, { risen_at: 'r' })), newsAt(anAlert(3, { risen_at: '', opened_at: 'o' }))]).toEqual(['c', 'u', 'r', 'o'])
  expect(isActive(anAlert(4, { detection: 'stale' }))).toBe(true)
})

test('a filter narrows by level, handling, words, and whether it is over', () => {
  const a = anAlert(1, { level: 2, handling: 'assigned', headline: text('洪水红色', 'Flood red'), device_id: 'W-9' })
  expect(matches(a, all)).toBe(true)
  expect(matches(a, { ...all, levels: [1] })).toBe(false)
  expect(matches(a, { ...all, levels: [1, 2] })).toBe(true)
  expect(matches(a, { ...all, handling: ['new'] })).toBe(false)
  for (const query of ['flood', '洪水', ' w-9 ', '370602', 'station']) expect(matches(a, { ...all, query }), query).toBe(true)
  expect(matches(a, { ...all, query: 'fire' })).toBe(false)
  const cleared = anAlert(2, { detection: 'cleared', peak_level: 1 })
  expect(matches(cleared, { ...all, cleared: false })).toBe(false)
  expect(matches(cleared, { ...all, levels: [1] })).toBe(true)
})

test('an older version does not take the place of a newer one', () => {
  const store = useAlerts()
  expect(store.put(anAlert(1, { version: 5, level: 1 }))).toBe(true)
  expect(store.put(anAlert(1, { version: 4, level: 3 }))).toBe(false)
  expect(store.all.get(1)!.level).toBe(1)
})

test('what an answer said that may be done stays while the version is the same, and no longer', () => {
  const store = useAlerts()
  store.put(answered(anAlert(1, { version: 2, possible: ['resolve'] })))
  store.put(anAlert(1, { version: 2 }))
  expect(store.all.get(1)!.possible).toEqual(['resolve'])
  store.put(anAlert(1, { version: 3 }))
  expect(store.all.get(1)!.possible).toBeUndefined()
  expect(answered(anAlert(2)).possible).toEqual([])
})

test('a closed alert that is over leaves the list', () => {
  const store = useAlerts()
  store.put(anAlert(1))
  store.put(anAlert(1, { version: 2, detection: 'cleared', handling: 'closed' }))
  expect(store.sorted).toEqual([])
})

test('a new alert and a rise are news; a fall, a step and an alert that is over are not', () => {
  const store = useAlerts()
  const event = (seq: number, kind: string, a: ReturnType<typeof anAlert>) => store.takeEvent(anEvent(seq, kind, { alert: a, device_level: a.level }))
  event(1, 'alert.issued', anAlert(1, { level: 3 }))
  expect(store.arrived).toEqual({ id: 1, level: 3, n: 1 })
  event(2, 'alert.updated', anAlert(1, { version: 2, level: 4 }))
  event(3, 'alert.acknowledged', anAlert(1, { version: 3, level: 4, handling: 'acknowledged' }))
  event(4, 'alert.updated', anAlert(2, { level: 1 }))
  event(5, 'alert.cleared', anAlert(3, { detection: 'cleared' }))
  expect(store.arrived!.n).toBe(1)
  event(6, 'alert.updated', anAlert(1, { version: 4, level: 1 }))
  expect(store.arrived).toEqual({ id: 1, level: 1, n: 2 })
  expect(store.takeEvent(anEvent(7, 'alert.updated', {}))).toBeNull()
  expect(store.takeEvent(anEvent(8, 'alert.updated', { alert: anAlert(1), device_level: 3 }))!.device_level).toBe(3)
  expect(store.all.get(1)!.version).toBe(4)
})

test('the list is sorted, filtered and counted', () => {
  const store = useAlerts()
  for (const a of [anAlert(1, { level: 3 }), anAlert(2, { level: 1 }), anAlert(3, { level: 1, detection: 'cleared', peak_level: 1, device_id: 'D2' })]) store.put(a)
  expect(store.sorted.map((a) => a.id)).toEqual([2, 1, 3])
  expect(store.counts).toEqual([0, 1, 0, 1, 0])
  store.filter.levels = [3]
  expect(store.shown.map((a) => a.id)).toEqual([1])
  expect(store.ofDevice('D2').map((a) => a.id)).toEqual([3])
})

test('more open alerts than a page are fetched page by page, each before the oldest of the last', async () => {
  const first = Array.from({ length: 500 }, (_, i) => anAlert(1000 - i))
  const calls = aServer({ 'GET /api/v1/alerts': ({ query }: { query: Record<string, string> }) => list(query.before ? [anAlert(3)] : first, { seq: query.before ? 2 : 1 }) })
  const store = useAlerts()
  expect(await store.refresh()).toEqual({ epoch: 'e', seq: 1, id: 'e1' })
  expect(calls.map((c) => c.query.before)).toEqual([undefined, '501'])
  expect([store.all.size, store.loaded]).toEqual([501, true])
})

test('pages of two logs are no list', async () => {
  const first = Array.from({ length: 500 }, (_, i) => anAlert(1000 - i))
  aServer({ 'GET /api/v1/alerts': ({ query }: { query: Record<string, string> }) => (query.before ? list([], { epoch: 'f' }) : list(first)) })
  await expect(useAlerts().refresh()).rejects.toThrow('replaced')
})

test('a late answer does not bring back an alert that is over, its reopening does', () => {
  const store = useAlerts()
  store.takeSnapshot(list([anAlert(1)]))
  store.takeEvent(anEvent(2, 'alert.closed', { alert: anAlert(1, { version: 3, detection: 'cleared', handling: 'closed' }), device_level: 0 }))
  expect(store.put(answered(anAlert(1, { version: 2 })))).toBe(false) // asked for before it was closed
  expect(store.sorted).toEqual([])
  expect(store.put(anAlert(1, { version: 4 }))).toBe(true)
  expect(store.put(anAlert(1, { version: 4, level: 1 }))).toBe(true)
  expect(store.sorted.map((a) => a.level)).toEqual([1])
})

test('a replay from before the snapshot does not begin alerts that have ended since', () => {
  const store = useAlerts()
  store.takeSnapshot(list([anAlert(2)], { seq: 9 }))
  const told = store.takeEvent(anEvent(5, 'alert.issued', { alert: anAlert(1, { level: 1 }), device_level: 1 }))
  expect([told?.device_level, store.all.has(1), store.arrived]).toEqual([1, false, null])
  store.takeEvent(anEvent(10, 'alert.issued', { alert: anAlert(3), device_level: 3 }))
  expect(store.sorted.map((a) => a.id)).toEqual([3, 2])
})

test('of another past nothing counts as over or held', () => {
  const store = useAlerts()
  store.takeSnapshot(list([], { seq: 9 }))
  store.put(anAlert(1, { version: 8, detection: 'cleared', handling: 'closed' }))
  store.doubt()
  store.takeSnapshot(list([], { seq: 2 }))
  store.takeEvent(anEvent(3, 'alert.issued', { alert: anAlert(1, { version: 1 }), device_level: 3 }))
  expect(store.sorted.map((a) => a.id)).toEqual([1])
})

test('nothing stays for another person', () => {
  const store = useAlerts()
  store.takeSnapshot(list([anAlert(1)]))
  store.filter.query = 'x'
  store.forget()
  expect([store.all.size, store.loaded, store.filter.query, store.arrived]).toEqual([0, false, '', null])
})
