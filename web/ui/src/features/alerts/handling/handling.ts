// What the page says around a handling step: the question before an alert that has not cleared is put away, and
// what others changed meanwhile. Pure.

import type { Alert, AlertAction, Handling, Level } from '@/shared/api/types'
import { rank } from '@/shared/format/levels'

/** Steps that put an alert away: they ask first while it has not cleared. */
export const putsAway = (action: AlertAction) => action === 'resolve' || action === 'close'

/** The event kinds of handling steps, with the state each leads to. */
export const leadsTo: Record<AlertAction, Handling> = { acknowledge: 'acknowledged', assign: 'assigned', resolve: 'resolved', close: 'closed' }

export type Trend = 'rising' | 'falling' | 'steady' | 'unknown'

/** A reading: its time in milliseconds, its value. */
export type Point = readonly [at: number, value: number]

/**
 * Where readings go, toward danger or away from it: the least-squares slope over them against their spread. Fewer
 * than two readings say nothing.
 */
export function trendOf(points: readonly Point[], direction: Alert['direction']): Trend {
  if (points.length < 2) return 'unknown'
  const first = points[0]![0]
  const n = points.length
  const mean = (pick: (p: Point) => number) => points.reduce((sum, p) => sum + pick(p), 0) / n
  const x = mean((p) => p[0] - first)
  const y = mean((p) => p[1])
  const spread = points.reduce((sum, p) => sum + (p[0] - first - x) ** 2, 0)
  if (spread === 0) return 'unknown'
  const slope = points.reduce((sum, p) => sum + (p[0] - first - x) * (p[1] - y), 0) / spread
  const change = slope * (points.at(-1)![0] - first) * (direction === 'below' ? -1 : 1)
  const scale = Math.max(...points.map((p) => Math.abs(p[1])), 1e-9)
  if (Math.abs(change) < 0.01 * scale) return 'steady'
  return change > 0 ? 'rising' : 'falling'
}

/** How far a value is beyond the threshold, in whole percent of it; null at the safe side or where the threshold is 0. */
export function percentBeyond(value: number, threshold: number, direction: Alert['direction']): number | null {
  const beyond = direction === 'below' ? threshold - value : value - threshold
  if (!(beyond >= 0) || threshold === 0) return null
  return Math.round((beyond / Math.abs(threshold)) * 100)
}

export type Question = 'rising' | 'steady' | 'falling' | 'unknown' | 'recovering' | 'stale'

/** Which question is asked before the alert is put away; null: it has cleared, nothing is asked. */
export function questionOf(alert: Pick<Alert, 'detection' | 'direction' | 'threshold'>, value: number, trend: Trend): Question | null {
  if (alert.detection === 'cleared') return null
  if (alert.detection === 'stale') return 'stale'
  const safe = alert.direction === 'below' ? value > alert.threshold : value < alert.threshold
  return safe ? 'recovering' : trend
}

/** One thing that changed on an alert. */
export type Change =
  | { what: 'acknowledged' | 'assigned' | 'resolved' | 'closed'; actor: string; name: string; assignee: string }
  | { what: 'reopened' | 'cleared' | 'stale' | 'back' }
  | { what: 'rose' | 'fell'; from: Level; to: Level }

/** Who took the newest step of two versions: the confirmation that only the later one has. */
function whoStepped(before: Alert, after: Alert): { user: string; name: string } | undefined {
  const known = new Set((before.confirmations ?? []).map((c) => `${c.user} ${c.at}`))
  return (after.confirmations ?? []).filter((c) => !known.has(`${c.user} ${c.at}`)).sort((a, b) => Date.parse(b.at) - Date.parse(a.at))[0]
}

const isStep = (h: Handling): h is Exclude<Handling, 'new'> => h !== 'new'

/**
 * What is different between two versions of an alert, for somebody who looked at the first. actor is the login of who
 * caused it, where an event said it; a second unit's acknowledgement changes no handling and is told all the same.
 */
export function changesBetween(before: Alert, after: Alert, actor = ''): Change[] {
  const changes: Change[] = []
  const who = whoStepped(before, after)
  const by = { actor: actor || (who?.user ?? ''), name: who && (!actor || who.user === actor) ? who.name : '' }
  if (rank(after.level) < rank(before.level)) changes.push({ what: 'rose', from: before.level, to: after.level })
  if (rank(after.level) > rank(before.level) && after.detection !== 'cleared') changes.push({ what: 'fell', from: before.level, to: after.level })
  if (after.detection !== before.detection) {
    if (after.detection === 'cleared' || after.detection === 'stale') changes.push({ what: after.detection })
    else if (before.detection === 'stale') changes.push({ what: 'back' })
  }
  const moved = after.handling !== before.handling || (after.handling === 'assigned' && after.assignee !== before.assignee)
  if (moved && isStep(after.handling)) changes.push({ what: after.handling, ...by, assignee: after.assignee })
  else if (moved) changes.push({ what: 'reopened' })
  else if (who) changes.push({ what: 'acknowledged', ...by, assignee: '' })
  return changes
}
