// From what to what a step of an alert's history went: "黄 → 橙", "未确认 → 已确认（蓝色级时）".

import type { Audit } from '@/shared/api/types'
import { i18n, t, type MessageKey } from '@/shared/i18n'
import { measured } from '@/shared/format/format'

const colours = ['red', 'orange', 'yellow', 'blue']

/** A state as the server writes it: "new", "firing", "firing red". Its words, '' for none, and its level's place. */
function stateWords(text: string): { state: string; level: string } {
  const [state = '', colour = ''] = text.split(' ')
  const level = colours.indexOf(colour) + 1
  const key = [`alerts.handling.${state}`, `alerts.detection.${state}`].find((k) => i18n.global.te(k))
  return { state: key ? t(key as MessageKey) : '', level: level ? t(`levelShort.${level}` as MessageKey) : '' }
}

const arrow = (before: string, after: string) => (before && after && before !== after ? t('handling.history.from', { before, after }) : '')

/** The change in words; '' where nothing changed that has words. symbol is of the alert's values. */
export function transition(step: Audit & { value?: number | null }, symbol: string): string {
  const before = stateWords(step.before)
  const after = stateWords(step.after)
  const levels = arrow(before.level, after.level) || (step.before ? '' : after.level)
  const states = arrow(before.state, after.state)
  const value = typeof step.value === 'number' ? measured(step.value, symbol) : ''
  // A person's step says at which level it was taken: what was confirmed at blue was not confirmed at red.
  const at = step.actor && step.level ? t('handling.history.level', { level: t(`level.${step.level}`) }) : ''
  return [levels, states, at, value].filter(Boolean).join(' ')
}
