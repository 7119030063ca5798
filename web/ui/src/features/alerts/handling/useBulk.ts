import { computed, ref, shallowRef } from 'vue'
import { useAlarm } from '../alarm/store'
import { ApiError } from '@/shared/api/client'
import * as api from '@/shared/api/endpoints'
import type { Alert, AlertAction, BulkItem } from '@/shared/api/types'
import { t } from '@/shared/i18n'
import { putsAway } from './handling'
import { worst } from '@/shared/format/levels'
import { hasRisen, reasonOf, refusalText } from '@/shared/api/refusal'
import { answered, useAlerts } from '../alerts'

/** The most that the server takes at once. */
const atOnce = 500

export type BulkAction = Exclude<AlertAction, 'assign'>
export const bulkActions: readonly BulkAction[] = ['acknowledge', 'resolve', 'close']

/** What became of one alert of a bulk step; why is '' where it was taken. */
export interface BulkResult {
  id: number
  why: string
}

/** Whether an alert can take a step, as far as is known: one that an event changed is asked about by sending it. */
export const mayTake = (a: Alert, action: AlertAction) => a.possible === undefined || a.possible === null || a.possible.includes(action)

/** One step on many alerts: which of the chosen can take it, and what became of each. */
export function useBulk(chosen: () => Alert[]) {
  const alerts = useAlerts()
  const alarm = useAlarm()
  const busy = ref(false)
  const error = ref('')
  const results = shallowRef<BulkResult[] | null>(null)
  const last = shallowRef<{ action: BulkAction; body: api.StepWords } | null>(null)

  const able = (action: BulkAction) => chosen().filter((a) => mayTake(a, action))
  /** Those for which the step asks: put away before they have cleared. */
  const firing = (action: BulkAction) => (putsAway(action) ? able(action).filter((a) => a.detection !== 'cleared') : [])
  const worstOf = (list: Alert[]) => worst(list.map((a) => a.level))
  const refused = computed(() => (results.value ?? []).filter((r) => r.why !== ''))
  const taken = computed(() => (results.value ?? []).filter((r) => r.why === ''))

  function result(item: BulkItem): BulkResult {
    if (item.alert) alerts.put(answered(item.alert))
    return { id: item.id, why: item.problem ? reasonOf(item.problem) : item.alert ? '' : t('refusal.reason.fault') }
  }

  /** Takes the step on alerts as they were shown. */
  async function send(action: BulkAction, shown: readonly api.Shown[], body: api.StepWords): Promise<void> {
    busy.value = true
    error.value = ''
    last.value = { action, body }
    const done: BulkResult[] = (results.value ?? []).filter((r) => !shown.some((a) => a.id === r.id))
    try {
      for (let from = 0; from < shown.length; from += atOnce) {
        const part = shown.slice(from, from + atOnce)
        const answer = (await api.handleAlerts(part, action, body)).items ?? []
        const said = new Map(answer.map((item) => [item.id, item]))
        // One that the answer leaves out is not taken for done.
        done.push(...part.map(({ id }) => result(said.get(id) ?? { id })))
        results.value = [...done]
        const risen = answer.filter((item) => item.problem && hasRisen(item.problem)).map((item) => item.id)
        if (risen.length) await alarm.askAgain(...risen)
      }
    } catch (cause) {
      error.value = refusalText(cause)
      if (!(cause instanceof ApiError)) throw cause
    } finally {
      busy.value = false
    }
  }
  /** The refused ones once more, as they are shown now. */
  const retry = () => (last.value ? send(last.value.action, refused.value.map(({ id }) => ({ id, level: alerts.all.get(id)?.level ?? 0 })), last.value.body) : Promise.resolve())
  function forget() {
    results.value = null
    last.value = null
    error.value = ''
  }
  return { busy, error, results, refused, taken, last, able, firing, worstOf, send, retry, forget }
}
