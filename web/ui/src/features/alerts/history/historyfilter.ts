// The filter of the alert history and its link. Pure: reading and writing one state.

import type { AlertFilter } from '@/shared/api/types'
import { fromCityInput } from '@/shared/time/citytime'

/** As the form holds it: texts, '' for any; from and to as datetime-local inputs in the city's time. */
export interface HistoryFilter {
  state: 'all' | 'open' | 'cleared' | 'closed'
  from: string
  to: string
  level: string
  peak: string
  division: string
  hazard: string
  device: string
  q: string
}

export const anyAlert: HistoryFilter = { state: 'all', from: '', to: '', level: '', peak: '', division: '', hazard: '', device: '', q: '' }

type Query = Record<string, string | (string | null)[] | null | undefined>

const one = (v: Query[string]): string => (Array.isArray(v) ? v[0] : v) ?? ''
const states: readonly string[] = ['all', 'open', 'cleared', 'closed']
const levelList = (text: string) => text.split(',').filter((l) => /^[1-4]$/.test(l)).join(',')
const time = (text: string) => (fromCityInput(text) === null ? '' : text)
/** A text without characters that no server takes, at most so many long. */
const plain = (text: string, limit: number) => [...text].filter((c) => c >= ' ' && c !== '\u007f').slice(0, limit).join('')

/** Reads a link; what it cannot read it leaves at "any". */
export function readHistory(q: Query): HistoryFilter {
  const state = one(q.state)
  const division = one(q.division)
  const hazard = one(q.hazard)
  const device = one(q.device)
  return {
    state: states.includes(state) ? (state as HistoryFilter['state']) : 'all',
    from: time(one(q.from)),
    to: time(one(q.to)),
    level: levelList(one(q.level)),
    peak: levelList(one(q.peak)),
    division: /^\d{2,12}$/.test(division) ? division : '',
    hazard: /^[a-z][a-z0-9_-]{0,62}$/.test(hazard) ? hazard : '',
    device: /^[A-Za-z0-9_-]{1,64}$/.test(device) ? device : '',
    q: plain(one(q.q), 100),
  }
}

/** Writes the same, leaving out what is at "any". */
export function writeHistory(f: HistoryFilter): Record<string, string> {
  return Object.fromEntries(Object.entries(f).filter(([key, value]) => value !== anyAlert[key as keyof HistoryFilter]))
}

export const isAny = (f: HistoryFilter) => Object.keys(writeHistory(f)).length === 0

/** Whether the range ends before it begins: the server refuses that. */
export function badRange(f: HistoryFilter): boolean {
  const from = fromCityInput(f.from)
  const to = fromCityInput(f.to)
  return from !== null && to !== null && to <= from
}

/** What the server is asked for. */
export function queryOf(f: HistoryFilter): AlertFilter {
  const rfc = (text: string) => {
    const ms = fromCityInput(text)
    return ms === null ? undefined : new Date(ms).toISOString()
  }
  return {
    state: f.state,
    from: rfc(f.from),
    to: rfc(f.to),
    level: f.level || undefined,
    peak: f.peak || undefined,
    division: f.division || undefined,
    hazard: f.hazard || undefined,
    device: f.device.trim() || undefined,
    q: f.q.trim() || undefined,
  }
}
