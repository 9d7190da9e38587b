// Opens the services of one process from its settings, for the mains of the programs.

export { createControl, openServices, openTurnSourceIfQueued, type Services } from "./open-services.ts";
export { checkServiceSettings, masterKeyOf, serviceSettings, type ServiceSettings } from "./service-settings.ts";
