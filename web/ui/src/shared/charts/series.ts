// What a chart draws from readings, made without a chart.

import type { Chart, Observation, Level } from '@/shared/api/types'

/** The values of one level. */
export interface Band {
  level: Level
  /** The band's bounds; ±Infinity is open. */
  from: number
  to: number
}

/** A period of time, milliseconds since the epoch. */
export interface Period {
  from: number
  to: number
}

export type Sample = [time: number, value: number | null]

/**
 * Readings as a line with its gaps: where more than three intervals passed without one, the line is
 * broken by a null, not bridged. Readings flagged bad (QARTOD 4) or missing (9) are gaps, too. Of a
 * reduced chart the points may lie as far apart as its buckets are wide.
 */
export function withGaps(items: { t: string; v: number; qc: number }[], intervalS: number, bucketS = 0): Sample[] {
  const limit = Math.max(Math.max(intervalS, 1) * 3, bucketS * 2) * 1000
  const samples: Sample[] = []
  let last = NaN
  for (const item of items) {
    const at = Date.parse(item.t)
    if (at - last > limit) samples.push([last + limit / 3, null])
    if (item.qc === 4 || item.qc === 9) samples.push([at, null])
    else samples.push([at, item.v])
    last = at
  }
  return samples
}

const longestMs = 400 * 86_400_000

/** The period of two times of the city, as "2026-11-23T06:00"; null when it is none that can be shown. */
export function periodOf(from: string, to: string): Period | null {
  const [a, b] = [from, to].map((s) => (/^\d{4}-\d\d-\d\dT\d\d:\d\d$/.test(s) ? Date.parse(`${s}:00+08:00`) : NaN)) as [number, number]
  return a < b && b - a <= longestMs ? { from: a, to: b } : null
}

/** In the order of the legend. */
export const flagKinds = ['bad', 'missing', 'suspect', 'ahead', 'conflict'] as const
export type FlagKind = (typeof flagKinds)[number]

/** A reading that people should look at twice. */
export interface Flag {
  at: number
  /** null: it has none to be drawn at. */
  value: number | null
  kind: FlagKind
  /** Of a reduced chart: how many of its bucket this stands for. */
  count?: number
  /** Of a conflict: what was stored first. */
  stored?: number | null
}

/** Why a reading is to be looked at twice; null: it is not. */
export function flagOf(reading: Pick<Observation, 'qc' | 'time_source'>): Exclude<FlagKind, 'conflict'> | null {
  return reading.qc === 4 ? 'bad' : reading.qc === 9 ? 'missing' : reading.qc === 3 ? 'suspect' : reading.time_source === 3 ? 'ahead' : null
}

/**
 * The flagged readings of a chart, and the values that came second for a time that had one. What a reduced
 * chart has no point of is in the count of the first that it has of the bucket, or in the bucket's middle.
 * What came since is in no bucket.
 */
export function flagsOf(chart: Pick<Chart, 'points' | 'conflicts' | 'flagged' | 'bucket_s'>, since: Observation[] = []): Flag[] {
  const flagged = (points: Observation[]) =>
    points.flatMap((p): Flag[] => {
      const kind = flagOf(p)
      return kind ? [{ at: Date.parse(p.t), value: kind === 'missing' ? null : p.v, kind }] : []
    })
  const drawn = flagged(chart.points)
  const flags = [...drawn, ...flagged(since)]
  const width = chart.bucket_s * 1000
  for (const bucket of chart.flagged) {
    const from = Date.parse(bucket.t)
    const here = drawn.filter((f) => f.at >= from && f.at < from + width)
    for (const kind of flagKinds) {
      const all = kind === 'conflict' ? 0 : bucket[kind]
      const shown = here.filter((f) => f.kind === kind)
      if (shown[0] && all > shown.length) shown[0].count = all - shown.length + 1
      else if (all && !shown.length) flags.push({ at: from + width / 2, value: null, kind, count: all })
    }
  }
  for (const c of chart.conflicts) flags.push({ at: Date.parse(c.t), value: c.v, kind: 'conflict', stored: c.stored })
  return flags.sort((a, b) => a.at - b.at)
}

/** How many readings of each kind the flags stand for. */
export function countFlags(flags: Flag[]): { kind: FlagKind; n: number }[] {
  return flagKinds
    .map((kind) => ({ kind, n: flags.filter((f) => f.kind === kind).reduce((n, f) => n + (f.count ?? 1), 0) }))
    .filter((c) => c.n > 0)
}

/** The y-axis: all values, and the nearest threshold beyond them, with a little air. */
export function extent(samples: Sample[], bands: Band[]): [number, number] {
  const values = samples.map((s) => s[1]).filter((v) => v !== null)
  if (!values.length) return [0, 1]
  let low = Math.min(...values)
  let high = Math.max(...values)
  const edges = bands.flatMap((b) => [b.from, b.to]).filter(Number.isFinite).sort((a, b) => a - b)
  const above = edges.find((e) => e > high)
  const below = edges.findLast((e) => e < low)
  const span = high - low || Math.abs(high) || 1
  // A threshold far away would flatten the line into nothing.
  if (above !== undefined && above - high < span * 4) high = above
  if (below !== undefined && low - below < span * 4) low = below
  const air = (high - low || 1) * 0.08
  return [low - air, high + air]
}
