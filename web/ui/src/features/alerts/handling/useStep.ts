import { ref, shallowRef } from 'vue'
import { useAlarm } from '../alarm/store'
import { ApiError } from '@/shared/api/client'
import * as api from '@/shared/api/endpoints'
import type { Alert, AlertAction, AlertStep } from '@/shared/api/types'
import { t } from '@/shared/i18n'
import { isRisen, refusalText } from '@/shared/api/refusal'
import { answered, useAlerts } from '../alerts'

const answerWithinMs = 15_000

interface Sent {
  id: number
  action: AlertAction
  body: AlertStep
}

/** Sends handling steps of one alert: what was answered or refused, and the same once more after a failure. */
export function useStep(done: (alert: Alert) => void) {
  const alerts = useAlerts()
  const alarm = useAlarm()
  const busy = ref(false)
  /** The step that was not taken, with why. */
  const failed = shallowRef<(Sent & { text: string; again: boolean }) | null>(null)
  const said = ref('')

  function forget() {
    failed.value = null
    said.value = ''
  }

  async function send(id: number, action: AlertAction, body: AlertStep = {}): Promise<boolean> {
    busy.value = true
    forget()
    try {
      const answer = await api.handleAlert(id, action, body, { signal: AbortSignal.timeout(answerWithinMs) })
      alerts.put(answered(answer.alert))
      said.value = t('alerts.act.done', { step: t(`alerts.step.${action}`) })
      done(answered(answer.alert))
      return true
    } catch (error) {
      const passing = error instanceof ApiError && (error.status === 0 || error.status === 429 || error.status >= 500)
      failed.value = { id, action, body, text: refusalText(error), again: passing }
      if (isRisen(error)) void alarm.askAgain(id)
      return false
    } finally {
      busy.value = false
    }
  }
  /** The failed step once more. */
  const retry = () => (failed.value ? send(failed.value.id, failed.value.action, failed.value.body) : Promise.resolve(false))

  return { busy, failed, said, send, retry, forget }
}
