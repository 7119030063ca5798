// The wire shapes of the ingest path, of presence and of charts: sensors/stats.go.

/** How much went through each stage. */
export interface IngestCounts {
  received: number
  committed: number
  duplicate: number
  conflict: number
  late: number
  future: number
  quarantined: number
  refused: number
  failed: number
  batches: number
}

/** One interval; the counts are those of the interval, the rest is as it was at its end. */
export interface IngestSample extends IngestCounts {
  at: string
  queue_envelopes: number
  queue_bytes: number
  oldest_ms: number
  commit_p50_ms: number
  commit_p99_ms: number
  batch_rows: number
}

export interface BrokerStats {
  /** embedded or external. */
  name: string
  address: string
  connected: boolean
  /** In English; code and params say the same. */
  detail: string
  code?: string
  params?: Record<string, string>
  connections: number
  qos0: number
  qos1: number
  qos2: number
  refused: Record<string, number>
  reconnects: number
}

export interface DeviceTrouble {
  /** Empty: it never said who it is. */
  device: string
  remote: string
  kind: string
  count: number
  first: string
  last: string
  /** In English; the same by its code. */
  detail: string
  code: string
  params?: Record<string, string>
}

export interface IngestStats {
  node: string
  started_at: string
  /** Seconds of a sample. */
  every_s: number
  max_queue: number
  max_bytes: number
  totals: IngestCounts
  samples: IngestSample[] | null
  brokers: BrokerStats[] | null
  troubles: DeviceTrouble[] | null
}

/** A reading whose datastream and time were stored already with another value. */
export interface Conflict {
  id: number
  datastream_id: number
  device_id: string
  name: string
  division: string
  t: string
  /** What charts show; null: no longer kept. */
  stored: number | null
  v: number
  received_at: string
}

export interface ChartPoint {
  datastream_id: number
  t: string
  v: number
  qc: number
  /** 1 the device's clock, 2 the receipt, 3 a clock that is wrong: the reading counts at its receipt. */
  time_source?: number
  received_at: string
}

/** How many readings of one bucket of a reduced chart are to be looked at twice; t is its beginning. */
export interface Flagged {
  t: string
  bad: number
  missing: number
  suspect: number
  ahead: number
}

/** A period of a datastream in a bounded number of points: of each bucket the least and the greatest. */
export interface ChartData {
  datastream_id: number
  from: string
  to: string
  rows: number
  exact: boolean
  bucket_s: number
  points: ChartPoint[]
  flagged: Flagged[]
  conflicts: Conflict[]
}

export type PresenceState = 'online' | 'offline' | 'stale' | 'fresh'

export interface PresenceChange {
  device: string
  /** Absent: of the device. */
  datastream_id?: number
  datastream?: string
  state: PresenceState
  /** status, silence or reading. */
  reason: string
  since: string
}

export interface PresenceEvent {
  changes: PresenceChange[] | null
  /** That the list leaves out. */
  more: number
}

/** A line of the event log. */
export interface TimelineEvent {
  seq: number
  id: string
  at: string
  kind: string
  divisions: string[] | null
  roles?: string[] | null
  subject: string
  actor?: string
  payload: unknown
}

/** What is kept of a device's client certificate. */
export interface Certificate {
  sha256: string
  subject?: string
  not_after: string | null
}

/** One line of a device.unevaluated event; without a reason its readings are evaluated again. */
export interface UnevaluatedChange {
  device: string
  reason: string
  since: string
}

export interface UnevaluatedEvent {
  changes: UnevaluatedChange[]
  more: number
}
