/** Where Aurevoir is reached; `aurevoir app hubspot` writes the real address here. */
export const PUBLIC_URL = "https://aurevoir.example.com";
