// Keeps a page's link at its state.

import { isNavigationFailure, NavigationFailureType, type LocationQueryRaw, type Router } from 'vue-router'

/** How long a state must last before it is written, ms. */
const settleMs = 250

/**
 * Writes what query gives into the link of the page called name, a moment after each changed(). While another page
 * is on its way the link is left alone: writing it would call that page back.
 */
export function keepLink(router: Router, name: string, query: () => LocationQueryRaw) {
  let timer: ReturnType<typeof setTimeout> | undefined
  let leaving = false
  function changed() {
    clearTimeout(timer)
    if (!leaving) timer = setTimeout(() => void router.replace({ name, query: query() }), settleMs)
  }
  function stay() {
    leaving = false
    changed()
  }
  const hooks = [
    router.beforeEach((to) => {
      leaving = to.name !== name
      if (leaving) clearTimeout(timer)
    }),
    router.afterEach((_to, _from, failure) => {
      if (isNavigationFailure(failure, NavigationFailureType.aborted)) stay()
    }),
    router.onError(stay),
  ]
  function stop() {
    clearTimeout(timer)
    for (const forget of hooks) forget()
  }
  return { changed, stop }
}
