import { useTimeoutFn } from '@vueuse/core'
import { computed, ref, shallowRef } from 'vue'
import type { Alert } from '@/shared/api/types'
import { heldRows, waitingUpdates, type Held } from './heldorder'

/** After so long without a move of pointer or keys nobody is aiming at a row any more. */
const idleMs = 15_000

/** The rows of a list that keep their places while the pointer or the focus is in it. */
export function useHeldOrder(shown: () => Alert[], newest: (id: number) => Alert | undefined) {
  const held = shallowRef<Held | null>(null)
  const pointer = ref(false)
  const focus = ref(false)
  const { start: waitIdle, stop: cancel } = useTimeoutFn(release, idleMs, { immediate: false })

  function release() {
    cancel()
    held.value = null
  }
  /** Somebody aims at a row: from now on rows stay. */
  function aim() {
    held.value ??= { rows: shown() }
    waitIdle()
  }
  function leave(what: 'pointer' | 'focus') {
    if (what === 'pointer') pointer.value = false
    else focus.value = false
    if (!pointer.value && !focus.value) release()
  }
  const on = {
    pointerenter: (e: PointerEvent) => e.pointerType === 'mouse' && ((pointer.value = true), aim()),
    pointermove: (e: PointerEvent) => e.pointerType === 'mouse' && ((pointer.value = true), aim()),
    pointerleave: () => leave('pointer'),
    focusin: () => ((focus.value = true), aim()),
    focusout: (e: FocusEvent) => !(e.currentTarget as HTMLElement).contains(e.relatedTarget as Node | null) && leave('focus'),
    keydown: aim,
  }

  const rows = computed(() => heldRows(held.value, shown(), newest))
  const updates = computed(() => waitingUpdates(held.value, shown()))
  return { rows, updates, held, release, on }
}
