// What a form can know before it asks the server: the limits that the API's schema sets. Everything else is the server's to
// judge, and its answer stands at the field. The words are the server's own, by its codes.

import { t } from '@/shared/i18n'
import { sentence } from './faults'

/** The limits of one member of a request's body, as the schema has them. */
export interface Limits {
  readonly required?: boolean
  readonly integer?: boolean
  readonly minimum?: number
  readonly maximum?: number
  readonly minLength?: number
  readonly maxLength?: number
  readonly pattern?: string
  /** What the server takes where nothing is given. */
  readonly default?: number
}

const worded = (code: string, params?: Record<string, string>) => sentence({ code, params }) ?? ''

/**
 * What is wrong with a text, in the reader's language; empty: nothing. code names a sentence that says more of the
 * field's pattern than that it is not met.
 */
export function textFault(limits: Limits, value: string, code = 'malformed'): string {
  const length = [...value].length
  if (!length) return limits.required || limits.minLength ? worded('required') : ''
  if (limits.minLength && length < limits.minLength) return worded('password-short', { limit: String(limits.minLength) })
  if (limits.maxLength && length > limits.maxLength) return worded('too-long', { limit: String(limits.maxLength) })
  return limits.pattern && !new RegExp(limits.pattern, 'u').test(value) ? worded(code) : ''
}

/** A typed number; NaN for anything else, an empty field among it. */
export function numberOf(typed: string | number): number {
  const trimmed = String(typed).trim()
  return trimmed === '' ? NaN : Number(trimmed)
}

/** What is wrong with a typed number, in the reader's language; empty: nothing. */
export function numberFault(limits: Limits, typed: string | number): string {
  if (String(typed).trim() === '') return limits.required ? worded('required') : ''
  const value = numberOf(typed)
  if (!Number.isFinite(value)) return worded('not-finite')
  if (limits.integer && !Number.isSafeInteger(value)) return t('limit.whole')
  const { minimum = -Infinity, maximum = Infinity } = limits
  if (value >= minimum && value <= maximum) return ''
  if (minimum === -Infinity || maximum === Infinity) return worded('malformed')
  return worded('out-of-range', { value: String(value), from: String(minimum), to: String(maximum) })
}

/** The attributes by which a text field keeps what is typed within its length. */
export const lengthOf = ({ maxLength }: Limits) => (maxLength === undefined ? {} : { maxlength: maxLength })
