// What a chart draws from readings, made without a chart.

import type { Band } from '../stores/rules'

export type Sample = [time: number, value: number | null]

/**
 * Readings as a line with its gaps: where more than three intervals passed without one, the line is
 * broken by a null, not bridged. Readings flagged bad (QARTOD 4) or missing (9) are gaps, too.
 */
export function withGaps(items: { t: string; v: number; qc: number }[], intervalS: number): Sample[] {
  const limit = Math.max(intervalS, 1) * 3 * 1000
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
