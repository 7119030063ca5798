import { defineStore } from 'pinia'
import { shallowRef } from 'vue'
import type { Viewer, ViewersFrame } from '@/shared/live/frames'
import { useSession } from '@/shared/session/session'

/** Who else has which alert open, as the server says it. Nothing is known while there is no connection. */
export const useViewers = defineStore('viewers', () => {
  const session = useSession()
  const byAlert = shallowRef(new Map<number, Viewer[]>())

  function take(frame: ViewersFrame) {
    byAlert.value = new Map((frame.alerts ?? []).map((a) => [a.alert, a.people ?? []]))
  }
  function forget() {
    if (byAlert.value.size) byAlert.value = new Map()
  }
  /** The others at an alert, who writes a step first; one entry a person, however many pages they have. */
  function others(alert: number): Viewer[] {
    const people = new Map<string, Viewer>()
    for (const p of byAlert.value.get(alert) ?? []) {
      if (p.user === session.me?.user) continue
      const known = people.get(p.user)
      people.set(p.user, known ? { ...known, acting: known.acting || p.acting } : p)
    }
    return [...people.values()].sort((a, b) => Number(b.acting) - Number(a.acting) || a.user.localeCompare(b.user))
  }
  return { byAlert, take, forget, others }
})
