// Why something was not done, in the reader's language: not reached is not refused, and a page in Chinese never
// shows the server's English.

import { ApiError } from './client'
import type { Problem } from './types'
import { language, t, type MessageKey } from '@/shared/i18n'
import { sentence } from './faults'

/** The kinds of refusal that need no code to be said. */
const byStatus: Record<number, MessageKey> = {
  0: 'refusal.reason.away',
  400: 'refusal.reason.unfit',
  422: 'refusal.reason.unfit',
  401: 'refusal.reason.session',
  403: 'refusal.reason.forbidden',
  404: 'refusal.reason.missing',
  409: 'refusal.reason.changed',
  412: 'refusal.reason.changed',
  429: 'refusal.reason.often',
}

/** What a problem says: by its code, by its status, and in English by the server's own sentence. */
export function reasonOf(problem: Problem): string {
  const said = sentence({ code: problem.code ?? '', params: problem.params }) ?? sentence(problem.errors?.[0]?.code ? problem.errors[0] as { code: string } : { code: '' })
  if (said) return said
  if (language() === 'en' && problem.detail) return problem.detail
  const status = problem.status ?? 0
  const key = byStatus[status] ?? (status >= 500 ? 'refusal.reason.fault' : undefined)
  return key ? t(key) : t('refusal.reason.other', { status })
}

/** Whether nobody answered: nothing is known to have changed, and the same may be sent again. */
export const isNotReached = (error: unknown) => error instanceof ApiError && error.status === 0

/** Whether the alert was worse than the level that the step was taken on, or may have been. */
export const hasRisen = (problem: Problem) => problem.code === 'alert-risen' || problem.code === 'shown-missing'
export const isRisen = (error: unknown) => error instanceof ApiError && hasRisen(error.problem)

/** Why an attempt failed, as a clause without a stop. */
export function failureReason(error: unknown): string {
  if (!(error instanceof ApiError)) return t('refusal.reason.page')
  return reasonOf({ ...error.problem, status: error.status })
}

/** One sentence for a step that was not taken. */
export function refusalText(error: unknown): string {
  return isNotReached(error) ? t('refusal.notReached') : t('refusal.refused', { detail: failureReason(error) })
}
