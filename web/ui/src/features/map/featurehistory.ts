// What a change of a feature's history changed, in words: "名称 甲 → 乙", "形状 5 个点 → 7 个点".

import type { FeatureChange, Field, Geometry, Text } from '@/shared/api/types'
import { t, tx } from '@/shared/i18n'
import { coordinates, fieldValue } from '@/shared/format/format'

export interface Difference {
  title: string
  before: string
  after: string
}

/** Who made the change, and by what. */
export function changedBy(c: FeatureChange): string {
  if (c.via === 'import') return t('command.card.change.import', { source: c.source || t('command.card.change.none') })
  if (c.via === 'database') return t('command.card.change.database', { who: c.actor })
  return c.actor
}

/** The differences of an update in the order of a card; of what was created or deleted there are none to tell. */
export function differences(c: FeatureChange, fields: readonly Field[]): Difference[] {
  const { before, after } = c
  if (c.kind !== 'updated' || !before || !after) return []
  const none = t('command.card.change.none')
  const out: Difference[] = []
  const add = <V>(title: string, old: V | undefined, now: V | undefined, words: (value: V) => string) => {
    if (old === undefined && now === undefined) return
    const say = (value: V | undefined) => (value === undefined ? none : words(value) || none)
    out.push({ title, before: say(old), after: say(now) })
  }
  add(t('command.card.change.name'), before.name, after.name, names(before.name, after.name))
  add(t('command.card.level'), before.level, after.level, (level) => t(`level.${level}`))
  add(t('command.card.division'), before.division, after.division, String)
  const titles = new Map(fields.map((f) => [f.name, f]))
  for (const name of new Set([...Object.keys(before.fields ?? {}), ...Object.keys(after.fields ?? {})])) {
    add(tx(titles.get(name)?.title) || name, before.fields?.[name], after.fields?.[name], (value) => fieldValue(value, titles.get(name)?.unit))
  }
  const place = before.geometry && after.geometry && placed(before.geometry, after.geometry)
  if (place) out.push(place)
  add(t('command.card.source'), before.source, after.source, String)
  add(t('command.card.change.origin'), before.origin, after.origin, (origin) => t(`origin.${origin}`))
  return out
}

/** Names in the language shown, or in both where it is the other that changed. */
function names(before: Text | undefined, after: Text | undefined): (name: Text) => string {
  const both = tx(before) === tx(after)
  return (name) => (both ? [name.zh, name.en].filter(Boolean).join(' / ') : tx(name))
}

function placed(before: Geometry, after: Geometry): Difference {
  if (before.type === 'Point' && after.type === 'Point') {
    const say = (at: number[]) => coordinates(at[0]!, at[1]!, 7)
    return { title: t('command.card.place'), before: say(before.coordinates), after: say(after.coordinates) }
  }
  const points = (g: Geometry) => t('command.card.change.points', { n: count(g) })
  return { title: t('command.card.change.shape'), before: points(before), after: points(after) }
}

/** The positions of a geometry. */
function count(g: Geometry): number {
  const positions = (c: unknown): number => (Array.isArray(c) ? (typeof c[0] === 'number' ? 1 : c.reduce((n: number, part) => n + positions(part), 0)) : 0)
  return positions(g.coordinates)
}
