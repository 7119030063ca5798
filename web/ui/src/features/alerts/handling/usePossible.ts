import { useTimeoutFn } from '@vueuse/core'
import { computed, onBeforeUnmount, ref, shallowRef, watch } from 'vue'
import * as api from '@/shared/api/endpoints'
import type { Alert, AlertAction } from '@/shared/api/types'
import { answered, useAlerts } from '../alerts'

const askAfterMs = 400 // a burst of events is one question
const retryMs = 4_000

/**
 * What the viewer may do with an alert, as the server said it of this very version. After an event it is not known
 * until it is asked again: steps then are those of the version before, for drawing them disabled.
 */
export function usePossible(alert: () => Alert) {
  const alerts = useAlerts()
  const before = shallowRef<AlertAction[]>([])
  const error = shallowRef<unknown>(null)
  /** An alert that is no longer in the list keeps its answer here. */
  const asked = shallowRef<Alert | null>(null)
  const pauseMs = ref(askAfterMs)
  const { start, stop: cancel, isPending } = useTimeoutFn(ask, pauseMs, { immediate: false })
  let left = false

  const now = computed<AlertAction[] | null>(() => {
    const a = alert()
    if (a.possible) return a.possible
    return asked.value?.id === a.id && asked.value.version >= a.version ? (asked.value.possible ?? []) : null
  })
  const known = computed(() => now.value !== null)
  const steps = computed(() => now.value ?? before.value)

  async function ask(): Promise<void> {
    cancel()
    const { id } = alert()
    try {
      const answer = answered((await api.alert(id)).alert)
      if (left || alert().id !== id) return
      asked.value = answer
      alerts.put(answer)
      error.value = null
    } catch (cause) {
      if (left || alert().id !== id) return
      error.value = cause
    }
    if (!known.value) askSoon(error.value ? retryMs : askAfterMs)
  }
  function askSoon(ms = askAfterMs) {
    if (isPending.value) return
    pauseMs.value = ms
    start()
  }

  watch(() => alert().id, () => {
    before.value = []
    error.value = null
    cancel()
  })
  watch(now, (next) => next && (before.value = next), { immediate: true })
  watch(() => [alert().id, alert().version, known.value] as const, () => !known.value && askSoon(), { immediate: true })
  onBeforeUnmount(() => {
    left = true
  })
  return { steps, known, error, ask }
}
