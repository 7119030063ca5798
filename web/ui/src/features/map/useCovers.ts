import { useResizeObserver } from '@vueuse/core'
import { nextTick, shallowRef, watch, type Ref } from 'vue'
import type { Insets } from './engine/controller'
import { freeBox, type Box } from './engine/free'

const selector = '[data-covers]'

/** What lies over a map now: every element marked data-covers, as it is on the screen. */
function coversOf(host: HTMLElement, without: string): Box[] {
  const map = host.getBoundingClientRect()
  return [...document.querySelectorAll<HTMLElement>(selector)]
    .filter((e) => e.dataset.covers !== without)
    .map((e) => e.getBoundingClientRect())
    .filter((r) => r.width > 0 && r.height > 0)
    .map((r) => ({ left: r.left - map.left, top: r.top - map.top, right: r.right - map.left, bottom: r.bottom - map.top }))
}

/**
 * What the panels leave of a map. They are measured when it matters: their size follows the window, the wall's
 * scale, and what has been loaded into them. `changed` is called when one came, went or grew.
 */
export function useCovers(host: Ref<HTMLElement | undefined>, open: () => unknown, changed: () => void) {
  const observed = shallowRef<HTMLElement[]>([])
  useResizeObserver(observed, changed)
  const covers = (without = '') => (host.value ? coversOf(host.value, without) : [])

  function insets(without = ''): Insets {
    const { clientWidth: width = 0, clientHeight: height = 0 } = host.value ?? {}
    const free = freeBox(width, height, covers(without))
    return { top: free.top, left: free.left, right: width - free.right, bottom: height - free.bottom }
  }

  watch(open, async () => {
    await nextTick()
    observed.value = [...document.querySelectorAll<HTMLElement>(selector)] // calls back at once
  }, { immediate: true, flush: 'post' })
  return { covers, insets }
}
