import { expect, test } from 'vitest'
import type { LogEvent } from '@/shared/api/types'
import type { PresenceChange } from '@/shared/live/frames'
import { joined, matching, refreshed, rows } from './timeline'

const since = '2026-11-23T06:00:00Z'
const change = (device: string, over: Partial<PresenceChange> = {}): PresenceChange => ({ device, state: 'offline', reason: 'silence', since, ...over })
const event = (seq: number, payload: unknown): LogEvent => ({ seq, id: `e${seq}`, at: since, kind: 'presence.changed', divisions: ['370602'], subject: '', payload })

test('each change is a line, and what an event left out is said', () => {
  const list = rows([event(2, { changes: [change('A'), change('B', { datastream_id: 3, datastream: 'wl', state: 'stale' })], more: 40 }), event(1, 'broken')])
  expect(list.map((r) => [r.key, r.change?.device, r.more])).toEqual([['2-0', 'A', 0], ['2-1', 'B', 0], ['2-more', undefined, 40]])
  expect(list[0]!.division).toBe('370602')
})

test('events are joined once each, newest first', () => {
  const seqs = (list: LogEvent[]) => list.map((e) => e.seq)
  expect(seqs(joined([event(4, {}), event(3, {})], [event(3, {}), event(2, {})]))).toEqual([4, 3, 2])
  expect(seqs(joined([event(1, {})], [event(3, {}), event(2, {})]))).toEqual([3, 2, 1])
})

test('the filter takes devices, datastreams and words; a line of what was left out stays', () => {
  const list = rows([event(1, { changes: [change('YT-1'), change('YT-2', { datastream_id: 3, datastream: 'rain', state: 'stale' })], more: 2 })])
  const keys = (which: 'all' | 'devices' | 'streams', q: string) => matching(list, { which, device: '', words: q }, (id) => (id === 'YT-1' ? '门楼水库' : '')).map((r) => r.key)
  expect(keys('all', '')).toEqual(['1-0', '1-1', '1-more'])
  expect(keys('devices', '')).toEqual(['1-0', '1-more'])
  expect(keys('streams', '')).toEqual(['1-1', '1-more'])
  expect(keys('all', '门楼')).toEqual(['1-0', '1-more'])
  expect(keys('all', 'RAIN')).toEqual(['1-1', '1-more'])
})

test('of one device are its own rows alone, not those of one whose id begins alike', () => {
  const list = rows([event(1, { changes: [change('YT-1'), change('YT-10'), change('YT-1', { datastream_id: 3, datastream: 'rain', state: 'stale' })], more: 2 })])
  const keys = (which: 'all' | 'streams') => matching(list, { which, device: 'YT-1', words: 'YT-1' }, () => '').map((r) => r.key)
  expect(keys('all')).toEqual(['1-0', '1-2', '1-more'])
  expect(keys('streams')).toEqual(['1-2', '1-more'])
})

test('a full page that does not reach those held replaces them: no gap goes unseen', () => {
  const seqs = (page: number[], held: number[]) => refreshed(page.map((n) => event(n, {})), held.map((n) => event(n, {})), 3).map((e) => e.seq)
  expect(seqs([9, 8, 7], [7, 6])).toEqual([9, 8, 7, 6])
  expect(seqs([9, 8, 7], [6, 5])).toEqual([9, 8, 7])
  expect(seqs([9, 8], [6, 5])).toEqual([9, 8, 6, 5])
  expect(seqs([9, 8, 7], [])).toEqual([9, 8, 7])
  expect(seqs([], [])).toEqual([])
})
