# Runners for exports of SDKs. Each is imported only for an export that needs it.
