import { useEventListener, useMutationObserver } from '@vueuse/core'
import { onMounted, watch, type Ref } from 'vue'
import { rovingTarget, type RovingKeys } from './roving'

export interface Roving {
  /** Moves the focus by so many items from the current one. */
  move(by: number): void
  /** Makes an item the one that Tab reaches, without focusing it. */
  setCurrent(item: HTMLElement | null): void
  current(): HTMLElement | null
}

/**
 * Makes a group one stop of the Tab key (WAI-ARIA "roving tabindex"): one of its items is in the tab order, the one last
 * focused; arrow keys, Home and End move between them. Items come and go freely. selector finds the items in root.
 */
export function useRoving(root: Ref<HTMLElement | null | undefined>, selector: string, keys: RovingKeys = 'vertical'): Roving {
  let at: HTMLElement | null = null

  const items = () => [...(root.value?.querySelectorAll<HTMLElement>(selector) ?? [])].filter((e) => !(e as HTMLButtonElement).disabled)

  function refresh() {
    const all = items()
    if (!at || !all.includes(at)) at = all.find((e) => e.getAttribute('aria-selected') === 'true') ?? all[0] ?? null
    for (const item of all) {
      const want = item === at ? '0' : '-1'
      if (item.getAttribute('tabindex') !== want) item.setAttribute('tabindex', want)
    }
  }
  function setCurrent(item: HTMLElement | null) {
    at = item
    refresh()
  }
  function focused(event: FocusEvent) {
    const item = (event.target as HTMLElement).closest<HTMLElement>(selector)
    if (item && item !== at) setCurrent(item)
  }
  function go(next: HTMLElement | undefined) {
    if (!next) return
    setCurrent(next)
    next.focus()
    next.scrollIntoView({ block: 'nearest' })
  }
  function pressed(event: KeyboardEvent) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return
    const target = event.target as HTMLElement
    if (!target.matches(selector)) return // in an input, or a button inside of an item
    const all = items()
    const next = rovingTarget(event.key, all.indexOf(target), all.length, keys)
    if (next === null) return
    event.preventDefault()
    go(all[next])
  }
  useEventListener(root, 'keydown', pressed)
  useEventListener(root, 'focusin', focused)
  useMutationObserver(root, refresh, { childList: true, subtree: true, attributes: true, attributeFilter: ['disabled', 'tabindex'] })
  onMounted(refresh)
  watch(root, (el) => el && refresh(), { flush: 'post' })

  return {
    move(by) {
      const all = items()
      if (!all.length) return
      const from = at ? all.indexOf(at) : -1
      const fresh = !all.includes(document.activeElement as HTMLElement)
      go(all[Math.min(all.length - 1, Math.max(0, fresh ? Math.max(from, 0) : from + by))])
    },
    setCurrent,
    current: () => at,
  }
}
