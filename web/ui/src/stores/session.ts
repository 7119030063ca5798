import { defineStore } from 'pinia'
import { computed, ref } from 'vue'
import { ApiError } from '../api/client'
import * as api from '../api/endpoints'
import type { Me, Permission } from '../api/types'
import { setServerTime } from '../lib/clock'

/** Who is logged in, and what they may do. */
export const useSession = defineStore('session', () => {
  const me = ref<Me | null>(null)
  const loaded = ref(false)

  function take(next: Me) {
    me.value = next
    loaded.value = true
    setServerTime(next.server.time)
  }

  /** Asks the server who we are, once. Not being logged in is an answer; not being reached throws. */
  async function load(force = false): Promise<Me | null> {
    if (loaded.value && !force) return me.value
    try {
      take(await api.me())
    } catch (error) {
      if (!(error instanceof ApiError) || error.status !== 401) throw error
      me.value = null
      loaded.value = true
    }
    return me.value
  }

  async function login(user: string, password: string): Promise<Me> {
    const next = await api.login(user, password)
    take(next)
    return next
  }

  async function logout(): Promise<void> {
    await api.logout()
    forget()
  }

  /** The session ended on the server's side. */
  function forget() {
    me.value = null
    loaded.value = true
  }

  const can = (permission: Permission) => me.value?.permissions.includes(permission) ?? false
  const simulated = computed(() => me.value?.server.simulated ?? false)
  return { me, loaded, load, login, logout, forget, can, simulated }
})
