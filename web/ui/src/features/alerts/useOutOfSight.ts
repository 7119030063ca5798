import { useResizeObserver } from '@vueuse/core'
import { onBeforeUnmount, onMounted, shallowRef, watch, type Ref } from 'vue'
import type { Alert, Level } from '@/shared/api/types'
import { isActive } from './alerts'

/** How many active alerts of the two worst levels there are somewhere, and the first of them in the order of the list: the worst, and of these the newest. */
export interface Unseen {
  red: number
  orange: number
  first: number | null
}

export const nothingUnseen: Unseen = { red: 0, orange: 0, first: null }

/** Counts red and orange active alerts, in the order given. */
export function unseenOf(alerts: Iterable<Pick<Alert, 'id' | 'level' | 'detection'>>): Unseen {
  const count = (list: Pick<Alert, 'level'>[], level: Level) => list.filter((a) => a.level === level).length
  const urgent = [...alerts].filter((a) => isActive(a as Alert) && (a.level === 1 || a.level === 2))
  return { red: count(urgent, 1), orange: count(urgent, 2), first: urgent[0]?.id ?? null }
}

/** What of the rows is above and below the part of the list that is seen. A row counts as seen from half its height on. */
export function useOutOfSight(list: Ref<HTMLElement | undefined>, rows: () => Alert[]) {
  const above = shallowRef<Unseen>(nothingUnseen)
  const below = shallowRef<Unseen>(nothingUnseen)
  let frame = 0

  function measure() {
    frame = 0
    const box = list.value?.getBoundingClientRect()
    if (!box) return
    const over: Alert[] = []
    const under: Alert[] = []
    for (const a of rows()) {
      if (!isActive(a) || a.level > 2 || a.level < 1) continue
      const row = list.value!.querySelector(`[data-id="${a.id}"]`)?.getBoundingClientRect()
      if (!row) continue
      const middle = (row.top + row.bottom) / 2
      if (middle < box.top) over.push(a)
      else if (middle > box.bottom) under.push(a)
    }
    above.value = unseenOf(over)
    below.value = unseenOf(under)
  }
  function look() {
    frame ||= requestAnimationFrame(measure)
  }
  useResizeObserver(list, look)
  onMounted(look)
  watch(rows, look, { flush: 'post' })
  onBeforeUnmount(() => cancelAnimationFrame(frame))
  return { above, below, look }
}
