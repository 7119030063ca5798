import { expect, test } from 'vitest'
import type { Datastream, Device } from '@/shared/api/types'
import { aDevice } from '@/shared/testing/fixtures'
import type { PresenceChange } from '@/shared/live/frames'
import { applyPresence, isSilent, parseInterval, presenceEvent, presenceOf, staleSince } from './presence'

const base = Date.parse('2026-11-23T06:00:00Z')
const time = (s: number) => new Date(base + s * 1000).toISOString()

function stream(id: number, latestAt: number | null, over: Partial<Datastream> = {}): Datastream {
  const latest = latestAt === null ? null : { datastream_id: id, t: time(latestAt), v: 1, qc: 1, received_at: time(latestAt) }
  return { id, device_id: 'D1', name: `s${id}`, type: 'water_level', title: { zh: '', en: '' }, latest, interval_s: 60, stale_after_s: 180, stale_since: null, ...over }
}
const device = (over: Partial<Device> = {}) => aDevice({ datastreams: [stream(1, 0), stream(2, 0)], ...over })
const change = (over: Partial<PresenceChange>): PresenceChange => ({ device: 'D1', state: 'offline', reason: 'silence', since: time(100), ...over })

test('an event sets a device off line with its reason, and on again', () => {
  const all = new Map([['D1', device()]])
  expect(applyPresence(all, { changes: [change({})], more: 0 }, time(300))).toBe(true)
  expect(all.get('D1')).toMatchObject({ online: false, reason: 'silence', status_at: time(100) })
  expect(presenceOf(all.get('D1')!, base + 300_000)).toEqual({ word: 'offline', why: 'silence', since: time(100) })
  applyPresence(all, { changes: [change({ state: 'online', reason: 'reading', since: time(310) })], more: 0 }, time(312))
  expect(all.get('D1')).toMatchObject({ online: true, reason: 'reading' })
})

test('what live state said after the event was written stands', () => {
  const all = new Map([['D1', device({ status_at: time(400) })]])
  expect(applyPresence(all, { changes: [change({})], more: 0 }, time(399))).toBe(false)
  expect(all.get('D1')!.online).toBe(true)
})

test('a datastream goes stale and is heard of again, beside its device', () => {
  const all = new Map([['D1', device()]])
  applyPresence(all, { changes: [change({ datastream_id: 2, datastream: 's2', state: 'stale', since: time(1) })], more: 0 }, time(200))
  expect(all.get('D1')!.datastreams!.map((s) => s.stale_since)).toEqual([null, time(1)])
  expect(all.get('D1')!.online).toBe(true)
  applyPresence(all, { changes: [change({ datastream_id: 2, state: 'fresh', reason: 'reading', since: time(210) })], more: 0 }, time(211))
  expect(all.get('D1')!.datastreams![1]!.stale_since).toBeNull()
})

test('a stale datastream that was heard of since the event stays fresh; strangers are passed over', () => {
  const all = new Map([['D1', device({ datastreams: [stream(1, 250)] })]])
  const stale = change({ datastream_id: 1, state: 'stale', since: time(1) })
  expect(applyPresence(all, { changes: [stale, change({ device: 'D9' }), change({ datastream_id: 77, state: 'stale' })], more: 0 }, time(200))).toBe(false)
})

test('a datastream is silent as long after as the server says; a reading of a late clock counts from its own time', () => {
  expect(staleSince(stream(1, 0), base + 179_000)).toBeNull()
  expect(staleSince(stream(1, 0), base + 180_000)).toBe(time(0))
  expect(staleSince(stream(1, 0, { interval_s: 2, stale_after_s: 30 }), base + 29_000)).toBeNull()
  expect(staleSince(stream(1, 0, { interval_s: 2, stale_after_s: 30 }), base + 30_000)).toBe(time(0))
  const late = stream(1, 0)
  late.latest!.received_at = time(500)
  expect(staleSince(late, base + 501_000)).toBe(time(0))
  const ahead = stream(1, 900)
  ahead.latest!.received_at = time(0)
  expect(staleSince(ahead, base + 200_000)).toBe(time(0))
  expect(staleSince(stream(1, null), base)).toBeNull()
})

test('a device is silent when all of its datastreams that ever spoke are', () => {
  const now = base + 200_000
  expect(isSilent(device({ datastreams: [stream(1, 0), stream(2, 100)] }), now)).toBe(false)
  expect(isSilent(device({ datastreams: [stream(1, 0), stream(2, null)] }), now)).toBe(true)
  expect(isSilent(device({ datastreams: [], last_seen: null, status_at: null }), now)).toBe(true)
  const mute = [stream(1, null), stream(2, null, { stale_after_s: 300 })]
  expect(isSilent(device({ datastreams: mute, status_at: time(0) }), base + 299_000)).toBe(false)
  expect(isSilent(device({ datastreams: mute, status_at: time(0) }), base + 300_000)).toBe(true)
})

test('words: disabled, never seen, late, said so, silent though on line', () => {
  const now = base + 200_000
  expect(presenceOf(device({ enabled: false }), now).word).toBe('disabled')
  expect(presenceOf(device({ online: false, last_seen: null, status_at: null, reason: '' }), now).word).toBe('never')
  expect(presenceOf(device({ online: false, reason: 'late' }), now)).toMatchObject({ word: 'offline', why: 'late' })
  expect(presenceOf(device({ online: false }), now)).toMatchObject({ word: 'offline', why: 'status_off', since: time(0) })
  expect(presenceOf(device(), now)).toEqual({ word: 'silent', why: 'silence', since: time(0) })
  expect(presenceOf(device({ datastreams: [stream(1, 150)] }), now)).toMatchObject({ word: 'online', why: 'status_on' })
})

test('a payload that cannot be read is none', () => {
  expect(presenceEvent({ changes: null, more: 3 })).toEqual({ changes: [], more: 3 })
  for (const bad of [null, [], 'x', { changes: {} }, { changes: [{ device: 1 }] }, { changes: [change({ since: 'soon' })] }, { changes: [{ ...change({}), state: 'gone' }] }]) {
    expect(presenceEvent(bad)).toBeNull()
  }
  expect(presenceEvent({ changes: [change({})] })).toEqual({ changes: [change({})], more: 0 })
})

test('an interval is a whole number of seconds up to seven days; empty is that of the type', () => {
  expect(['', '  ', '1', ' 604800 ', '007'].map(parseInterval)).toEqual([null, null, 1, 604800, 7])
  expect(['0', '604801', '-1', '1.5', '1e3', '10s', '９'].map(parseInterval)).toEqual(Array(7).fill(undefined))
})
