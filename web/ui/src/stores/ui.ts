import { defineStore } from 'pinia'
import { computed, reactive, ref, shallowRef } from 'vue'
import type { Level, Text } from '../api/types'

/** What the card shows. */
export type Card = { kind: 'device'; id: string } | { kind: 'feature'; layer: string; id: string }

/** One of several things under the pointer. */
export interface Pick {
  kind: 'device' | 'feature' | 'alert'
  layer?: string
  id: string
  name: Text
  level: Level
  /** Where it stands for others beside it that the tile does not show: lon, lat. */
  at?: [number, number]
}

/** A wish to move the map; n makes the same wish twice two wishes. */
export interface Flight {
  n: number
  center?: [number, number]
  zoom?: number
  bounds?: [number, number, number, number]
}

/** What is open, chosen and folded on the command page. */
export const useUi = defineStore('ui', () => {
  const panels = reactive({ layers: true, alerts: true, drawer: false })
  const alertId = ref<number | null>(null)
  const card = ref<Card | null>(null)
  const picks = shallowRef<Pick[] | null>(null)
  const help = ref(false)
  const searching = ref(false)
  const measuring = ref(false)
  const wall = ref(false)
  const flight = shallowRef<Flight | null>(null)
  const pointer = shallowRef<[number, number] | null>(null)
  const view = shallowRef<{ zoom: number; lon: number; lat: number } | null>(null)
  let flights = 0

  function fly(to: Omit<Flight, 'n'>) {
    flight.value = { ...to, n: ++flights }
  }

  function openCard(next: Card | null) {
    picks.value = null
    card.value = next
  }

  function openAlert(id: number | null) {
    picks.value = null
    alertId.value = id
    if (id !== null) panels.alerts = true
  }

  /** Closes the top thing; tells whether there was one. */
  function escape(): boolean {
    if (help.value) help.value = false
    else if (searching.value) searching.value = false
    else if (measuring.value) measuring.value = false
    else if (picks.value) picks.value = null
    else if (card.value) card.value = null
    else if (alertId.value !== null) alertId.value = null
    else if (wall.value) wall.value = false
    else if (panels.drawer) panels.drawer = false
    else return false
    return true
  }

  const selectedKey = computed(() => (card.value ? `${card.value.kind}:${card.value.id}` : ''))

  return { panels, alertId, card, picks, help, searching, measuring, wall, flight, pointer, view, selectedKey, fly, openCard, openAlert, escape }
})
