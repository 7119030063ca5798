import { useTimeoutFn } from '@vueuse/core'
import { onBeforeUnmount, ref, shallowRef, watch } from 'vue'
import { useRoute, useRouter } from 'vue-router'
import * as api from '@/shared/api/endpoints'
import type { Alert } from '@/shared/api/types'
import { keepLink } from '@/shared/nav/keeplink'
import { badRange, queryOf, readHistory, writeHistory, type HistoryFilter } from './historyfilter'

const pageSize = 50
const settleMs = 300

/** The history's filter, which the link carries, and its pages: each before the last one's id. */
export function useHistory() {
  const route = useRoute()
  const router = useRouter()
  const filter = ref<HistoryFilter>(readHistory(route.query))
  const items = shallowRef<Alert[] | null>(null)
  const count = ref<number | null>(null)
  const error = shallowRef<unknown>(null)
  const busy = ref(false)
  const ended = ref(false)
  let asked = 0
  const { start: loadSoon, stop: cancelLoad } = useTimeoutFn(load, settleMs, { immediate: false })
  let cancel: AbortController | undefined

  async function load(more = false): Promise<void> {
    cancelLoad()
    if (badRange(filter.value)) return
    cancel?.abort()
    const mine = ++asked
    const { signal } = (cancel = new AbortController())
    const before = more ? items.value?.at(-1)?.id : undefined
    busy.value = true
    try {
      const page = await api.alertsHistory(queryOf(filter.value), { limit: pageSize, before }, { signal })
      if (mine !== asked) return
      const next = page.items ?? []
      items.value = before === undefined ? next : [...(items.value ?? []), ...next]
      if (before === undefined) count.value = page.count ?? null
      ended.value = next.length < pageSize
      error.value = null
    } catch (cause) {
      if (mine === asked && !signal.aborted) error.value = cause
    } finally {
      if (mine === asked) busy.value = false
    }
  }

  const link = keepLink(router, 'alerts', () => writeHistory(filter.value))
  watch(filter, () => {
    link.changed()
    loadSoon()
  }, { deep: true })
  onBeforeUnmount(() => {
    link.stop()
    cancel?.abort()
  })
  return { filter, items, count, error, busy, ended, load }
}
