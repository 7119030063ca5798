import { createPinia, setActivePinia } from 'pinia'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { aDevice, anEvent, aState, aStream, at, text } from '@/shared/testing/fixtures'
import type { DeviceSnapshot, DatastreamType } from '@/shared/api/types'
import { aServer, refusal } from '@/shared/testing/server'
import { isStale, mergeDevice, useDevices } from './devices'

beforeEach(() => setActivePinia(createPinia()))
afterEach(() => {
  vi.unstubAllGlobals()
  vi.useRealTimers()
})

const snapshot = (over: Partial<DeviceSnapshot> = {}): DeviceSnapshot => ({ epoch: 'e', seq: 5, seq_id: 'e5', batch: 1, batch_id: 'b1', at: at(0), items: [aDevice()], ...over })
const type: DatastreamType = { code: 'water_level', title: text('水位'), unit: 'm', symbol: 'm', hazard_type: 'flood', min: 0, max: 9, decimals: 2, interval_s: 60, retention: 'standard' }

test('a snapshot says where it stands, and what there is', () => {
  const store = useDevices()
  expect(store.takeSnapshot(snapshot({ items: [aDevice(), aDevice({ id: 'D2', online: false, datastreams: [aStream(7)] })] }))).toEqual({ epoch: 'e', seq: 5, id: 'e5' })
  expect([store.loaded, store.list.length, store.online, store.byStream.get(7)]).toEqual([true, 2, 1, 'D2'])
  store.takeSnapshot(snapshot({ items: [] }))
  expect([store.list.length, store.byStream.size]).toEqual([0, 0])
})

test('a snapshot sets back neither a reading nor a status that came meanwhile', () => {
  const old = aDevice({ status_at: at(9), online: false, reason: 'silence', last_seen: at(8), datastreams: [aStream(1, { latest: { datastream_id: 1, t: at(8), v: 3, qc: 1, received_at: at(8) } })] })
  const next = mergeDevice(aDevice(), old)
  expect([next.online, next.reason, next.last_seen, next.datastreams[0]!.latest!.v]).toEqual([false, 'silence', at(8), 3])
  const newer = mergeDevice(aDevice({ status_at: at(10), last_seen: at(10) }), old)
  expect([newer.online, newer.reason, newer.last_seen]).toEqual([true, 'status', at(10)])
  expect(mergeDevice(aDevice(), undefined)).toEqual(aDevice())
})

test('readings by the hundred are one change of the page, within a quarter of a second', () => {
  vi.useFakeTimers()
  const store = useDevices()
  store.takeSnapshot(snapshot())
  const before = store.revision
  for (let i = 1; i <= 100; i++) store.takeState(aState({ at: at(i), readings: [{ ds: 1, device: 'D1', t: at(i), v: i, qc: 1 }] }))
  expect(store.revision).toBe(before)
  vi.advanceTimersByTime(250)
  expect(store.revision).toBe(before + 1)
  expect(store.get('D1')!.datastreams[0]!.latest!.v).toBe(100)
  store.takeState(aState({ at: at(200), readings: [{ ds: 99, device: 'D1', t: at(200), v: 1, qc: 1 }] }))
  vi.advanceTimersByTime(1000)
  expect(store.revision).toBe(before + 1)
})

test('a level is drawn at once, and the same level again is nothing', () => {
  const store = useDevices()
  store.takeSnapshot(snapshot())
  const before = [store.revision, store.levelRevision]
  store.setLevel('D1', 1)
  expect([store.revision - before[0]!, store.levelRevision - before[1]!, store.get('D1')!.level]).toEqual([1, 1, 1])
  store.setLevel('D1', 1)
  store.setLevel('unknown', 2)
  expect([store.revision - before[0]!, store.levelRevision - before[1]!]).toEqual([1, 1])
})

test('a pace that a steward gave is shown before the registry says it', () => {
  const store = useDevices()
  store.takeSnapshot(snapshot())
  const before = store.revision
  store.setPace({ id: 1, interval_s: 300, stale_after_s: 900 })
  store.setPace({ id: 99, interval_s: 300, stale_after_s: 900 })
  expect([store.get('D1')!.datastreams[0]!.interval_s, store.revision - before]).toEqual([300, 1])
})

test('a presence event of before the snapshot is passed over; one that left devices out asks for all of them', async () => {
  const calls = aServer({ 'GET /api/v1/devices': snapshot({ seq: 9, items: [aDevice({ name: text('新') })] }), 'GET /api/v1/datastream-types': { items: [type], hazard_types: [] } })
  const store = useDevices()
  store.takeSnapshot(snapshot())
  const change = { device: 'D1', state: 'offline', reason: 'silence', since: at(1) }
  await store.takePresence(anEvent(5, 'presence.changed', { changes: [change], more: 0 }, { at: at(1) }))
  expect(store.get('D1')!.online).toBe(true)
  await store.takePresence(anEvent(6, 'presence.changed', { changes: [change], more: 0 }, { at: at(1) }))
  expect(store.get('D1')!.online).toBe(false)
  expect(calls).toEqual([])
  await store.takePresence(anEvent(7, 'presence.changed', { changes: [], more: 12 }))
  expect(store.get('D1')!.name.zh).toBe('新')
  expect(store.types.get('water_level')!.unit).toBe('m')
  await store.takeUnevaluated(anEvent(10, 'device.unevaluated', 'what is this'))
  expect(calls.filter((c) => c.path === '/api/v1/devices')).toHaveLength(2)
  expect(calls.filter((c) => c.path === '/api/v1/datastream-types')).toHaveLength(1)
})

test('a refresh that fails says so, and leaves what is known', async () => {
  aServer({ 'GET /api/v1/devices': refusal(503) })
  const store = useDevices()
  store.takeSnapshot(snapshot())
  await expect(store.refresh()).rejects.toThrow()
  expect(store.list).toHaveLength(1)
})

test('nothing stays for another person', () => {
  const store = useDevices()
  store.takeSnapshot(snapshot())
  store.forget()
  expect([store.loaded, store.list.length, store.byStream.size, store.online]).toEqual([false, 0, 0, 0])
})

test('grey is what is off line, switched off, or silent', () => {
  const now = Date.parse(at(60))
  expect(isStale(aDevice(), now)).toBe(false)
  expect(isStale(aDevice({ online: false }), now)).toBe(true)
  expect(isStale(aDevice({ enabled: false }), now)).toBe(true)
  expect(isStale(aDevice(), Date.parse(at(3600)))).toBe(true)
})
