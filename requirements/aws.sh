#!/bin/sh
# Says whose AWS CLI serves: "system" if it has one of version 2 that reads AWS_ENDPOINT_URL, which leads to the local
# environment, else "wheel". It does from 2.13.0 on (AWS SDKs and Tools Reference Guide, "Service-specific endpoints").
aws --version 2>&1 | sed -n 's|^aws-cli/\([0-9]*\)\.\([0-9]*\)\..*|\1 \2|p' | {
    read -r major minor || major=0 minor=0
    if [ "$major" -gt 2 ] || { [ "$major" -eq 2 ] && [ "$minor" -ge 13 ]; }; then echo system; else echo wheel; fi
}
