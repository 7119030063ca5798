// What is wrong with what somebody sent, in the reader's language: the server says it by a code and what
// goes into the code's sentence.

import type { Fault } from './types'
import { i18n, t, type MessageKey } from '@/shared/i18n'

/** The names of a sentence that may hold a term of the server's, not a text of the sender's. */
const worded = ['found', 'level', 'before', 'role', 'permission', 'action', 'handling', 'detection']

type Said = Pick<Fault, 'code' | 'params'>

/** The sentence of a code; null when it is none that this page knows. */
export function sentence({ code, params }: Said): string | null {
  if (!code || !i18n.global.te(`fault.${code}`)) return null
  const filled = { ...params }
  for (const name of worded) {
    const term = filled[name]
    if (term && i18n.global.te(`term.${term}`)) filled[name] = t(`term.${term}` as MessageKey)
  }
  return t(`fault.${code}` as MessageKey, filled)
}

/** What the server says of a state of its own; its English where the page does not know the code. */
export const stateText = (said: { code?: string; params?: Record<string, string>; detail?: string }) =>
  sentence({ code: said.code ?? '', params: said.params }) ?? said.detail ?? ''

/** All that is wrong; the server's English where it gives no code, or one that is not known here. */
export function faultsText(faults: Fault[] | undefined, english: string): string {
  const texts = (faults ?? []).map((f) => {
    const text = sentence(f)
    return text && f.field ? t('admin.problem.field', { field: f.field, detail: text }) : text
  })
  if (!texts.length || texts.includes(null)) return english
  // What stands for many is a lead: what follows is of the first of them.
  const lead = faults?.[0]?.code === 'more-in-minute' ? t('admin.problem.field', { field: texts.shift()!, detail: '' }) : ''
  return (lead + texts.join(t('faultSeparator'))).trim()
}
