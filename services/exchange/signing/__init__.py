"""What clients sign, checked: EIP-712 orders and logins, HMAC requests, wallet addresses. Pure."""
