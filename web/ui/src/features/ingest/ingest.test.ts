import { expect, test } from 'vitest'
import type { IngestSample, IngestStats } from '@/shared/api/types'
import { ceiling, charts, figures, line, newest, quiet, refusals } from './ingest'

const start = Date.parse('2026-11-23T06:00:00Z')
const none = { received: 0, committed: 0, duplicate: 0, conflict: 0, late: 0, future: 0, quarantined: 0, refused: 0, failed: 0, batches: 0 }

function sample(s: number, over: Partial<IngestSample> = {}): IngestSample {
  return {
    at: new Date(start + s * 1000).toISOString(), ...none,
    queue_envelopes: 0, queue_bytes: 0, oldest_ms: 0, commit_p50_ms: 0, commit_p99_ms: 0, batch_rows: 0, ...over,
  }
}

function stats(samples: IngestSample[]): IngestStats {
  return { node: 'n1', started_at: '', every_s: 5, max_queue: 1000, max_bytes: 1 << 20, totals: { ...none }, samples, brokers: [], troubles: [] }
}

test('rates are of the newest sample, a second; latencies of the newest that has commits', () => {
  const f = figures(stats([sample(5, { received: 90, batches: 2, commit_p50_ms: 3, commit_p99_ms: 8 }), sample(10, { received: 50, committed: 45 })]))
  expect(f).toMatchObject({ received: 10, committed: 9, p50Ms: 3, p99Ms: 8 })
  expect(f.recent.received).toBe(140)
})

test('before the first sample nothing is claimed', () => {
  for (const empty of [stats([])]) {
    expect(figures(empty)).toMatchObject({ received: null, committed: null, p50Ms: null, p99Ms: null, queue: 0 })
    expect(charts(empty).every((c) => c.lines.every((l) => l.samples.length === 0))).toBe(true)
  }
})

test('a queue is marked by the fuller of count and bytes; failures are red, what went astray orange', () => {
  const marks = (over: Partial<IngestSample>) => figures(stats([sample(5, over)])).marks
  expect(marks({ queue_envelopes: 499 })).toEqual({ queue: 0, oldest: 0, quarantined: 0, refused: 0, failed: 0 })
  expect(marks({ queue_envelopes: 1, queue_bytes: 0.6 * (1 << 20) }).queue).toBe(2)
  expect(marks({ queue_envelopes: 950 }).queue).toBe(1)
  expect(marks({ oldest_ms: 6000 }).oldest).toBe(2)
  expect(marks({ oldest_ms: 31_000 }).oldest).toBe(1)
  expect(marks({ failed: 1, quarantined: 1, refused: 1 })).toMatchObject({ failed: 1, quarantined: 2, refused: 2 })
})

test('missing samples break a line, and so do intervals without a commit', () => {
  const s = stats([sample(0, { received: 5, batches: 1, commit_p99_ms: 4 }), sample(5), sample(60, { received: 10 })])
  expect(line(s, (x) => x.received).map((p) => p[1])).toEqual([5, 0, null, 10])
  const p99 = charts(s).find((c) => c.key === 'latency')!.lines[0]!
  expect(p99.samples.map((p) => p[1])).toEqual([4, null, null, null])
  expect(newest(p99.samples)).toBe(4)
  expect(newest([])).toBeNull()
})

test('the queue is drawn as a share of its limits', () => {
  const queue = charts(stats([sample(5, { queue_envelopes: 250, queue_bytes: 1 << 19 })])).find((c) => c.key === 'queue')!
  expect(queue.lines.map((l) => newest(l.samples))).toEqual([25, 50])
})

test('quiet is when nothing at all came, refused or not', () => {
  expect(quiet(stats([sample(5), sample(10)]))).toBe(true)
  expect(quiet(stats([sample(5), sample(10, { refused: 1 })]))).toBe(false)
})

test('refusals: most often first, none that never came', () => {
  const broker = { name: 'embedded', address: '', connected: true, detail: '', connections: 0, qos0: 0, qos1: 0, qos2: 0, reconnects: 0, refused: { will: 0, credentials: 2, handshake: 7 } }
  expect(refusals(broker)).toEqual([['handshake', 7], ['credentials', 2]])
  expect(refusals({ ...broker, refused: undefined as never })).toEqual([])
})

test('an axis ends at a round number', () => {
  expect([0, 0.4, 1, 3, 18_342, 20_000].map((v) => ceiling(v))).toEqual([1, 1, 1, 5, 20_000, 20_000])
})
