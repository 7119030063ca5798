// The ingest path's figures without a page: what is made of a node's samples.

import type { BrokerStats, IngestCounts, IngestSample, IngestStats } from '@/shared/api/types'
import type { Sample } from '@/shared/charts/series'

export const windowMs = 15 * 60_000

export const stages = ['received', 'committed', 'duplicate', 'conflict', 'late', 'future', 'quarantined', 'refused', 'failed'] as const
export type Stage = (typeof stages)[number]

/** How bad a figure is: the levels' colours and shapes, 0 is well. */
export type Mark = 0 | 1 | 2

export interface Figures {
  /** A second, over the newest sample; null before the first. */
  received: number | null
  committed: number | null
  queue: number
  queueBytes: number
  oldestMs: number
  /** Of the newest sample that has commits; null: none in 15 minutes. */
  p50Ms: number | null
  p99Ms: number | null
  /** In the samples' 15 minutes. */
  recent: Record<Stage, number>
  marks: { queue: Mark; oldest: Mark; quarantined: Mark; refused: Mark; failed: Mark }
}

const slowMs = 5_000
const stuckMs = 30_000
const fullShare = 0.9
const fillingShare = 0.5

export function share(part: number, most: number): number {
  return most > 0 ? part / most : 0
}

function above(value: number, orange: number, red: number): Mark {
  return value >= red ? 1 : value >= orange ? 2 : 0
}

/** The counts of all samples together. */
export function sum(samples: IngestCounts[]): Record<Stage, number> {
  const all = Object.fromEntries(stages.map((s) => [s, 0])) as Record<Stage, number>
  for (const one of samples) for (const stage of stages) all[stage] += one[stage]
  return all
}

export function figures(stats: IngestStats): Figures {
  const samples = stats.samples ?? []
  const last = samples.at(-1)
  const busy = samples.findLast((s) => s.batches > 0)
  const recent = sum(samples)
  const rate = (n: number | undefined) => (n === undefined || stats.every_s <= 0 ? null : n / stats.every_s)
  const queue = last?.queue_envelopes ?? 0
  const queueBytes = last?.queue_bytes ?? 0
  const fullest = Math.max(share(queue, stats.max_queue), share(queueBytes, stats.max_bytes))
  return {
    received: rate(last?.received),
    committed: rate(last?.committed),
    queue,
    queueBytes,
    oldestMs: last?.oldest_ms ?? 0,
    p50Ms: busy?.commit_p50_ms ?? null,
    p99Ms: busy?.commit_p99_ms ?? null,
    recent,
    marks: {
      queue: above(fullest, fillingShare, fullShare),
      oldest: above(last?.oldest_ms ?? 0, slowMs, stuckMs),
      quarantined: recent.quarantined > 0 ? 2 : 0,
      refused: recent.refused > 0 ? 2 : 0,
      failed: recent.failed > 0 ? 1 : 0,
    },
  }
}

/** One figure of each sample over time, broken where samples are missing; null is a gap, too. */
export function line(stats: IngestStats, value: (s: IngestSample) => number | null): Sample[] {
  const limit = Math.max(stats.every_s, 1) * 2500
  const out: Sample[] = []
  let last = NaN
  for (const s of stats.samples ?? []) {
    const at = Date.parse(s.at)
    if (at - last > limit) out.push([last + limit / 2.5, null])
    out.push([at, value(s)])
    last = at
  }
  return out
}

export interface Line {
  /** Of the messages ingest.line.… */
  key: LineKey
  samples: Sample[]
}
export type LineKey = Stage | 'envelopes' | 'bytes' | 'p50' | 'p99' | 'oldest' | 'rows'
export type ChartKey = 'flow' | 'astray' | 'queue' | 'latency' | 'oldest' | 'batch'
export interface Lines {
  key: ChartKey
  lines: Line[]
}

/** What is drawn, chart by chart: one axis a chart. */
export function charts(stats: IngestStats): Lines[] {
  const perSecond = (stage: Stage): Line => ({ key: stage, samples: line(stats, (s) => s[stage] / Math.max(stats.every_s, 1)) })
  const one = (key: LineKey, value: (s: IngestSample) => number | null): Line => ({ key, samples: line(stats, value) })
  const committing = (value: (s: IngestSample) => number) => (s: IngestSample) => (s.batches > 0 ? value(s) : null)
  return [
    { key: 'flow', lines: (['received', 'committed', 'duplicate'] as const).map(perSecond) },
    { key: 'astray', lines: (['late', 'future', 'conflict', 'quarantined', 'refused', 'failed'] as const).map(perSecond) },
    {
      key: 'queue',
      lines: [one('envelopes', (s) => 100 * share(s.queue_envelopes, stats.max_queue)), one('bytes', (s) => 100 * share(s.queue_bytes, stats.max_bytes))],
    },
    { key: 'latency', lines: [one('p99', committing((s) => s.commit_p99_ms)), one('p50', committing((s) => s.commit_p50_ms))] },
    { key: 'oldest', lines: [one('oldest', (s) => s.oldest_ms)] },
    { key: 'batch', lines: [one('rows', committing((s) => s.batch_rows))] },
  ]
}

/** The newest value of a line that is not a gap. */
export function newest(samples: Sample[]): number | null {
  return samples.findLast((s) => s[1] !== null)?.[1] ?? null
}

/** Nothing went through in the samples: not even something that was refused. */
export function quiet(stats: IngestStats): boolean {
  return stages.every((stage) => (stats.samples ?? []).every((s) => s[stage] === 0))
}

/** Why a broker refused, most often first; reasons that never came are left out. */
export function refusals(broker: BrokerStats): [reason: string, count: number][] {
  return Object.entries(broker.refused ?? {})
    .filter(([, n]) => n > 0)
    .sort((a, b) => b[1] - a[1] || a[0].localeCompare(b[0]))
}

/** An upper end of an axis: 1, 2 or 5 times a power of ten, never below the least. */
export function ceiling(value: number, least = 1): number {
  const most = Math.max(value, least)
  const power = 10 ** Math.floor(Math.log10(most))
  return [1, 2, 5, 10].map((m) => m * power).find((m) => m >= most * (1 - 1e-9))!
}
