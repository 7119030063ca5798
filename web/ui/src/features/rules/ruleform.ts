// The rule form's own state, and the server's rules for it (alerts.Rule.Validate) said while one types.

import type { RuleBody } from '@/shared/api/endpoints'
import type { Direction, Level, Rule } from '@/shared/api/types'
import type { Message } from '@/shared/i18n'
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

const maxName = 100
const maxForSeconds = 86_400
const maxHoldSeconds = 86_400

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

/** A typed number; NaN for anything else, an empty field among it. */
export function numberOf(text: string | number): number {
  const trimmed = String(text).trim()
  return trimmed === '' ? NaN : Number(trimmed)
}

function isSeconds(text: string, most: number): boolean {
  const seconds = numberOf(text)
  return Number.isInteger(seconds) && seconds >= 0 && seconds <= most
}

/** What the server gets. Only to be sent when check finds nothing. */
export function bodyOf(form: RuleForm, before?: Rule): RuleBody {
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

/** Where on the form a field of the body stands, as check names it; '' for one that the form does not have. */
export function formFieldOf(field: string, form: RuleForm): string {
  if (field === 'datastream_type' || field === 'datastream_id') return form.scope === 'type' ? 'type' : 'stream'
  const at = /^thresholds\[(\d+)\](?:\.(\w+))?$/.exec(field)
  if (!at) return fieldsOfForm[field] ?? ''
  const row = form.rows.filter((r) => r.used)[Number(at[1])]
  return row && (at[2] === 'raise' || at[2] === 'clear') ? `${row.level}.${at[2]}` : 'levels'
}

/**
 * What is wrong, by field: nameZh, nameEn, type, stream, forSeconds, holdSeconds, levels, and for a level's values
 * "1.raise", "1.clear". level names a level in the reader's language.
 */
export function check(form: RuleForm, levelName: (level: Level) => string): Map<string, Message> {
  const faults = new Map<string, Message>()
  if (!form.nameZh.trim()) faults.set('nameZh', { key: 'ruleError.nameMissing' })
  if ([...form.nameZh.trim()].length > maxName) faults.set('nameZh', { key: 'ruleError.nameLong' })
  if ([...form.nameEn.trim()].length > maxName) faults.set('nameEn', { key: 'ruleError.nameLong' })
  if (form.scope === 'type' && !form.type) faults.set('type', { key: 'ruleError.typeMissing' })
  if (form.scope === 'stream' && !form.datastreamId) faults.set('stream', { key: 'ruleError.streamMissing' })
  if (!isSeconds(form.forSeconds, maxForSeconds)) faults.set('forSeconds', { key: 'ruleError.forRange' })
  if (!isSeconds(form.holdSeconds, maxHoldSeconds)) faults.set('holdSeconds', { key: 'ruleError.forRange' })
  if (!form.rows.some((row) => row.used)) faults.set('levels', { key: 'ruleError.noLevel' })
  checkLevels(form, levelName, faults)
  return faults
}

// From the worst level down: each must be safer than the one before.
function checkLevels(form: RuleForm, levelName: (level: Level) => string, faults: Map<string, Message>): void {
  const above = form.direction === 'above'
  const worse = (a: number, b: number) => (above ? a > b : a < b)
  let last: { level: Level; raise: number; clear: number } | null = null
  for (const row of form.rows) {
    if (!row.used) continue
    const raise = numberOf(row.raise)
    const clear = numberOf(row.clear)
    if (!Number.isFinite(raise)) faults.set(`${row.level}.raise`, { key: 'ruleError.number' })
    if (!Number.isFinite(clear)) faults.set(`${row.level}.clear`, { key: 'ruleError.number' })
    if (!Number.isFinite(raise) || !Number.isFinite(clear)) continue
    if (last && !worse(last.raise, raise)) {
      faults.set(`${row.level}.raise`, { key: above ? 'ruleError.raiseAbove' : 'ruleError.raiseBelow', params: { level: levelName(last.level), v: last.raise } })
    }
    if (last && worse(clear, last.clear)) {
      faults.set(`${row.level}.clear`, { key: above ? 'ruleError.clearAbove' : 'ruleError.clearBelow', params: { level: levelName(last.level), v: last.clear } })
    }
    if (!worse(raise, clear)) {
      faults.set(`${row.level}.clear`, { key: above ? 'ruleError.hysteresisAbove' : 'ruleError.hysteresisBelow' })
    }
    last = { level: row.level, raise, clear }
  }
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
