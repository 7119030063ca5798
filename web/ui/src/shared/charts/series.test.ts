import { expect, test } from 'vitest'
import type { Rule } from '@/shared/api/types'
import { bandsOf, rulesFor } from '@/features/rules/rules'
import { scaleBar } from '@/features/map/engine/scale'
import { countFlags, extent, periodOf, flagsOf, withGaps } from './series'

const at = (minute: number, v: number, qc = 1) => ({ t: new Date(minute * 60_000).toISOString(), v, qc })

test('three missed intervals break the line; two do not', () => {
  const line = withGaps([at(0, 1), at(3, 2), at(7, 3)], 60)
  expect(line.map((s) => s[1])).toEqual([1, 2, null, 3])
  expect(line[2]![0]).toBeGreaterThan(3 * 60_000)
  expect(line[2]![0]).toBeLessThan(7 * 60_000)
})

test('points of a reduced chart may lie two buckets apart', () => {
  expect(withGaps([at(0, 1), at(20, 2), at(45, 3)], 60, 600).map((s) => s[1])).toEqual([1, 2, null, 3])
})

test('what should be looked at twice is marked, in time order', () => {
  const reading = (minute: number, v: number, qc: number, time_source = 1) =>
    ({ ...at(minute, v, qc), datastream_id: 7, time_source, received_at: '' })
  const conflict = { id: 1, datastream_id: 7, device_id: 'd', name: 'level', division: '370602', t: at(2, 0).t, stored: 1, v: 9, received_at: '' }
  const flags = flagsOf({ bucket_s: 0, flagged: [], points: [reading(0, 1, 1), reading(1, 99, 4), reading(3, 2, 3), reading(4, 3, 1, 3)], conflicts: [conflict] })
  expect(flags.map((f) => [f.at / 60_000, f.kind, f.value])).toEqual([[1, 'bad', 99], [2, 'conflict', 9], [3, 'suspect', 2], [4, 'ahead', 3]])
  expect(flags[1]!.stored).toBe(1)
})

test('what is flagged and no point of a reduced chart is marked all the same', () => {
  const reading = (minute: number, qc: number) => ({ ...at(minute, 5, qc), datastream_id: 7, time_source: 1, received_at: '' })
  const bucket = (minute: number, over: object) => ({ t: at(minute, 0).t, bad: 0, missing: 0, suspect: 0, ahead: 0, ...over })
  const flags = flagsOf({
    bucket_s: 600,
    points: [reading(1, 4), reading(3, 4), reading(4, 9), reading(40, 3)],
    flagged: [bucket(0, { bad: 5, missing: 1 }), bucket(20, { suspect: 2, ahead: 3 }), bucket(40, { suspect: 1 })],
    conflicts: [],
  }, [reading(41, 3)])
  expect(flags.map((f) => [f.at / 60_000, f.kind, f.value, f.count ?? 1])).toEqual([
    [1, 'bad', 5, 4], [3, 'bad', 5, 1], [4, 'missing', null, 1], [25, 'suspect', null, 2], [25, 'ahead', null, 3], [40, 'suspect', 5, 1], [41, 'suspect', 5, 1],
  ])
  expect(countFlags(flags)).toEqual([{ kind: 'bad', n: 5 }, { kind: 'missing', n: 1 }, { kind: 'suspect', n: 4 }, { kind: 'ahead', n: 3 }])
})

test('bad and missing readings are gaps, suspect ones are drawn', () => {
  expect(withGaps([at(0, 1), at(1, 99, 4), at(2, 2, 3), at(3, 0, 9)], 60).map((s) => s[1])).toEqual([1, null, 2, null])
})

test('the axis takes in the next threshold, unless it is far away', () => {
  const bands = [{ level: 1 as const, from: 5, to: Infinity }]
  expect(extent(withGaps([at(0, 3), at(1, 4)], 60), bands)[1]).toBeGreaterThan(5)
  expect(extent(withGaps([at(0, 3), at(1, 3.1)], 60), bands)[1]).toBeLessThan(5)
  expect(extent([], bands)).toEqual([0, 1])
})

const rule = (over: Partial<Rule>): Rule => ({
  id: 1, name: { zh: '', en: '' }, datastream_type: 'water_level', direction: 'above', for_seconds: 0, hold_seconds: 180, enabled: true,
  origin: 'real', version: 1, updated_at: '', updated_by: '',
  thresholds: [{ level: 1, raise: 5, clear: 4.8 }, { level: 3, raise: 3, clear: 2.8 }],
  ...over,
})

test('bands meet without overlap, above and below', () => {
  expect(bandsOf(rule({}))).toEqual([{ level: 1, from: 5, to: Infinity }, { level: 3, from: 3, to: 5 }])
  const low = rule({ direction: 'below', thresholds: [{ level: 1, raise: 1, clear: 1.2 }, { level: 2, raise: 2, clear: 2.2 }] })
  expect(bandsOf(low)).toEqual([{ level: 1, from: -Infinity, to: 1 }, { level: 2, from: 1, to: 2 }])
})

test('a rule of one datastream takes the place of its type’s; a switched-off one watches nothing', () => {
  const all = [rule({ id: 1 }), rule({ id: 2, datastream_id: 7 }), rule({ id: 3, enabled: false })]
  expect(rulesFor(all, { id: 7, type: 'water_level' }).map((r) => r.id)).toEqual([2])
  expect(rulesFor(all, { id: 8, type: 'water_level' }).map((r) => r.id)).toEqual([1])
  expect(rulesFor(all, { id: 8, type: 'rain' })).toEqual([])
})

test('a scale bar is a round length that fits', () => {
  for (const metres of [0.3, 1, 37, 152.8, 4000]) {
    const bar = scaleBar(metres, 110)
    expect(bar.width).toBeLessThanOrEqual(110)
    expect(bar.width).toBeGreaterThan(30)
    expect(bar.label).toMatch(/^[1235]0* (k?m)$/)
  }
  expect(scaleBar(0, 110)).toEqual({ width: 0, label: '' })
})

test('a period of one’s own is in the city’s time, and runs forward', () => {
  expect(periodOf('2026-11-23T14:00', '2026-11-23T15:30')).toEqual({ from: Date.parse('2026-11-23T06:00:00Z'), to: Date.parse('2026-11-23T07:30:00Z') })
  for (const [a, b] of [['2026-11-23T14:00', '2026-11-23T14:00'], ['2026-11-24T14:00', '2026-11-23T14:00'], ['', '2026-11-23T14:00'], ['2020-01-01T00:00', '2026-01-01T00:00'], ['2026-13-01T00:00', '2027-01-01T00:00']] as const) {
    expect(periodOf(a, b)).toBeNull()
  }
})
