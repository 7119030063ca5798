// The rule form's own state, and what of it cannot be sent. Whether the levels fit together is the server's to judge.

import type { Direction, Level, Rule, RuleInput } from '@/shared/api/types'
import { numberFault, numberOf, textFault } from '@/shared/api/limits'
import { limits } from '@/shared/api/limits.gen'
import { sentence } from '@/shared/api/faults'
import { levels } from '@/shared/format/levels'

export interface LevelRow {
  level: Level
  used: boolean
  /** As typed: an empty or half-typed number is not a number yet. */
  raise: string
  clear: string
}

export interface RuleForm {
  nameZh: string
  nameEn: string
  scope: 'type' | 'stream'
  type: string
  datastreamId: number
  direction: Direction
  rows: LevelRow[]
  forSeconds: string
  holdSeconds: string
  enabled: boolean
}

export function emptyForm(): RuleForm {
  return {
    nameZh: '',
    nameEn: '',
    scope: 'type',
    type: '',
    datastreamId: 0,
    direction: 'above',
    rows: levels.map((level) => ({ level, used: true, raise: '', clear: '' })),
    forSeconds: '0',
    holdSeconds: '180',
    enabled: true,
  }
}

export function formOf(rule: Rule): RuleForm {
  return {
    nameZh: rule.name.zh,
    nameEn: rule.name.en,
    scope: rule.datastream_id ? 'stream' : 'type',
    type: rule.datastream_type,
    datastreamId: rule.datastream_id ?? 0,
    direction: rule.direction,
    rows: levels.map((level) => {
      const had = rule.thresholds.find((threshold) => threshold.level === level)
      return { level, used: had !== undefined, raise: had ? String(had.raise) : '', clear: had ? String(had.clear) : '' }
    }),
    forSeconds: String(rule.for_seconds),
    holdSeconds: String(rule.hold_seconds),
    enabled: rule.enabled,
  }
}

/** What the server gets. Only to be sent when formFaults finds nothing. */
export function bodyOf(form: RuleForm, before?: Rule): RuleInput {
  return {
    name: { zh: form.nameZh.trim(), en: form.nameEn.trim() },
    datastream_type: form.type,
    ...(form.scope === 'stream' ? { datastream_id: form.datastreamId } : {}),
    direction: form.direction,
    thresholds: form.rows
      .filter((row) => row.used)
      .map((row) => ({ level: row.level, raise: numberOf(row.raise), clear: numberOf(row.clear) })),
    for_seconds: numberOf(form.forSeconds),
    hold_seconds: numberOf(form.holdSeconds),
    enabled: form.enabled,
    origin: before?.origin ?? 'real',
  }
}

const fieldsOfForm: Record<string, string> = { 'name.zh': 'nameZh', 'name.en': 'nameEn', for_seconds: 'forSeconds', hold_seconds: 'holdSeconds', thresholds: 'levels' }

/** Where on the form a field of the body stands, as formFaults names it; '' for one that the form does not have. */
export function formFieldOf(field: string, form: RuleForm): string {
  if (field === 'datastream_type' || field === 'datastream_id') return form.scope === 'type' ? 'type' : 'stream'
  const at = /^thresholds\[(\d+)\](?:\.(\w+))?$/.exec(field)
  if (!at) return fieldsOfForm[field] ?? ''
  const row = form.rows.filter((r) => r.used)[Number(at[1])]
  return row && (at[2] === 'raise' || at[2] === 'clear') ? `${row.level}.${at[2]}` : 'levels'
}

/** What cannot be sent, by field: type, stream, forSeconds, holdSeconds, levels, and for a level's values "1.raise", "1.clear". */
export function formFaults(form: RuleForm): Map<string, string> {
  const all: [field: string, fault: string][] = [
    form.scope === 'type' ? ['type', textFault(limits.RuleInput.datastream_type, form.type)] : ['stream', form.datastreamId ? '' : textFault({ required: true }, '')],
    ['forSeconds', numberFault({ ...limits.RuleInput.for_seconds, required: true }, form.forSeconds)],
    ['holdSeconds', numberFault({ ...limits.RuleInput.hold_seconds, required: true }, form.holdSeconds)],
    ['levels', form.rows.some((row) => row.used) ? '' : (sentence({ code: 'level-count', params: { n: '0' } }) ?? '')],
    ...form.rows.filter((row) => row.used).flatMap((row): [string, string][] => [
      [`${row.level}.raise`, numberFault({ required: true }, row.raise)],
      [`${row.level}.clear`, numberFault({ required: true }, row.clear)],
    ]),
  ]
  return new Map(all.filter(([, fault]) => fault))
}

export interface PreviewBand {
  level: Level
  /** Along the bar, 0 to 100. */
  from: number
  to: number
  /** The level's values along the bar, for its ticks. */
  raise: number
  clear: number
  label: string
}

/** The bands along a bar from the lowest to the highest value, with room at both ends; empty while a number is missing. */
export function preview(form: RuleForm): PreviewBand[] {
  const rows = form.rows
    .filter((row) => row.used)
    .map((row) => ({ level: row.level, raise: numberOf(row.raise), clear: numberOf(row.clear) }))
    .filter((row) => Number.isFinite(row.raise) && Number.isFinite(row.clear))
  if (!rows.length) return []
  const values = rows.flatMap((row) => [row.raise, row.clear])
  const low = Math.min(...values)
  const high = Math.max(...values)
  const air = (high - low || Math.abs(high) || 1) * 0.25
  const at = (v: number) => Math.min(100, Math.max(0, ((v - (low - air)) / (high - low + 2 * air)) * 100))
  return rows.map((row, i) => {
    const worse = rows[i - 1]
    const edge = worse ? at(worse.raise) : form.direction === 'above' ? 100 : 0
    const own = at(row.raise)
    return {
      level: row.level,
      from: Math.min(own, edge),
      to: Math.max(own, edge),
      raise: own,
      clear: at(row.clear),
      label: String(row.raise),
    }
  })
}
