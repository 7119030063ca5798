import { defineStore } from 'pinia'
import { shallowRef } from 'vue'
import * as api from '@/shared/api/endpoints'
import type { Datastream, Rule } from '@/shared/api/types'
import type { Band } from '@/shared/charts/series'

/** The rules that watch a datastream: its own, or those of its type. Switched-off ones watch nothing. */
export function rulesFor(rules: Rule[], stream: Pick<Datastream, 'id' | 'type'>): Rule[] {
  const on = rules.filter((r) => r.enabled)
  const own = on.filter((r) => r.datastream_id === stream.id)
  return own.length ? own : on.filter((r) => !r.datastream_id && r.datastream_type === stream.type)
}

/** Where a chart is coloured: each level from its raise value to the next worse one's. */
export function bandsOf(rule: Rule): Band[] {
  const sorted = [...rule.thresholds].sort((a, b) => a.level - b.level) // worst first
  return sorted.map((threshold, i) => {
    const worse = sorted[i - 1]
    return rule.direction === 'below'
      ? { level: threshold.level, from: worse ? worse.raise : -Infinity, to: threshold.raise }
      : { level: threshold.level, from: threshold.raise, to: worse ? worse.raise : Infinity }
  })
}

/** The rules, for the charts' bands. */
export const useRules = defineStore('rules', () => {
  const items = shallowRef<Rule[]>([])
  let asked: Promise<void> | null = null

  function load(force = false): Promise<void> {
    if (!asked || force) {
      asked = api.rules().then(
        (list) => void (items.value = list.items ?? []),
        () => void (asked = null), // a chart without bands is still a chart
      )
    }
    return asked
  }
  return { items, load }
})
